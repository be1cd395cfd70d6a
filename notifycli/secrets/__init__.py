"""Secrets: access tokens and keys, and the keychains that keep them.

| file | what it holds |
|---|---|
| `token_format` | a token's form, its digest and mask; `Secret`, which never shows what it holds |
| `token_service` | a token's life, written to be trusted in store and keychain; whose one is |
| `reconcile` | where store and keychain have come apart, and putting it right |
| `keychain` | `Keychain` and `open_keychain()`, which chooses one; its `Health` |
| `system_keyring` | the keychain of the desktop: Secret Service, macOS, Windows |
| `encrypted_file` | the keychains under a passphrase: a file, or the vault in the store |
| `private_file` | files that their owner alone may read, replaced whole or not at all |
| `secret_settings` | settings that are secrets: a mail server's password |
| `vapid` | the key that signs pushes |

Nothing is imported here: the token's form is needed where the keyring's 70 ms are not.
"""
