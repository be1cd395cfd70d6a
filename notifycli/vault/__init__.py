"""The vault: access tokens, the keychain that keeps them, the clipboard that hands them on.

| file | what it holds |
|---|---|
| `token` | a token's form, its digest and mask; `Secret`, which never shows what it holds |
| `keychain` | `Keychain` and `open_keychain()`, which chooses one |
| `system_keyring` | the keychain of the desktop: Secret Service, macOS, Windows |
| `encrypted_file`, `sealed`, `passphrase`, `private_file` | the keychain in a file |
| `clipboard` | copy a secret, clear it later |
| `clipboard_ways`, `clipboard_terminal`, `clipboard_child` | how that is done |
| `bounded` | calls that may never return |
| `health` | what a doctor is told of each |

Nothing is imported here: the token's form is needed where the keyring's 70 ms are not.
"""
