"""The other system: what Chatwoot calls things, and how it is spoken to.

| file | what it holds |
|---|---|
| `mapping` | what flags and `ui_settings` are to us, and back |
| `transport` | one request, with time-outs and retries; where a token may go |
| `api` | the answers as types, the refusals in words |
| `desk` | an account's connection, and whose tokens we hold |
| `three_way` | what differs here and there, and who changed it |
| `pull`, `push`, `rotate` | what the commands do, user by user |
"""
