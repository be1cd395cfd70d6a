"""Secrets: access tokens and keys, and the keychains that keep them.

| file | what it holds |
|---|---|
| `token_format` | a token's form, its digest and mask; `Secret`, which never shows what it holds |
| `token_service` | a token's life, in store and keychain, and where these have come apart |
| `keychain` | `Keychain` and `open_keychain()`, which chooses one; settings that are secrets |
| `system_keyring` | the keychain of the desktop: Secret Service, macOS, Windows |
| `encrypted_file` | the keychains under a passphrase: a file, or the vault in the store |
| `private_file` | files that their owner alone may read, replaced whole or not at all |
| `vapid` | the key that signs pushes |

Nothing of it is imported here: the token's form is needed where the keyring's 70 ms are not.
"""

from __future__ import annotations

from typing import NamedTuple


class Health(NamedTuple):
    """One finding, without any secret in it.

    `name` is what answers (`gnome-keyring`'s class, `copykitten`), `where` the place it stands for
    (a path, a display), `meaning` a sentence for a person, `hint` what to type; "" if nothing.
    """

    name: str
    where: str
    works: bool
    meaning: str
    hint: str = ""
