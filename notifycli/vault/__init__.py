"""The vault: access tokens, the keychain that keeps them, the clipboard that hands them on.

| file | what it holds |
|---|---|
| `token` | a token's form, its digest and mask; `Secret`, which never shows what it holds |
| `tokens` | a token's life: how store and keychain are written so that they can be trusted |
| `verify` | whose a token is, in the same time for yes and no |
| `mending` | where store and keychain have come apart, and putting it right |
| `keychain` | `Keychain` and `open_keychain()`, which chooses one |
| `system_keyring` | the keychain of the desktop: Secret Service, macOS, Windows |
| `encrypted_file`, `sealed`, `passphrase`, `private_file` | the keychain in a file |
| `clipboard` | copy a secret, clear it later |
| `clipboard_ways`, `clipboard_terminal`, `clipboard_child` | how that is done |
| `bounded` | calls that may never return |
| `health` | what a doctor is told of each |

Nothing is imported here: the token's form is needed where the keyring's 70 ms are not.
"""
