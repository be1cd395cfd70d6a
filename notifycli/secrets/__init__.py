"""Secrets: access tokens and keys, and the keychains that keep them.

| file | what it holds |
|---|---|
| `token_format` | a token's form, its digest and mask; `Secret`, which never shows what it holds |
| `token_service` | a token's life: how store and keychain are written so that they can be trusted |
| `verify` | whose a token is, in the same time for yes and no |
| `reconcile` | where store and keychain have come apart, and putting it right |
| `keychain` | `Keychain` and `open_keychain()`, which chooses one |
| `system_keyring` | the keychain of the desktop: Secret Service, macOS, Windows |
| `encrypted_file`, `encryption`, `passphrase`, `private_file` | the keychain in a file |
| `vapid` | the key that signs pushes |
| `timeout` | calls that may never return |
| `diagnostics` | what a doctor is told of each |

Nothing is imported here: the token's form is needed where the keyring's 70 ms are not.
"""
