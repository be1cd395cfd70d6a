"""The other system: what Chatwoot calls things, and how it is spoken to.

| file | what it holds |
|---|---|
| `http` | one request, with time-outs and retries; where a token may go |
| `client` | the answers as types, the refusals in words |
| `account` | an account's connection, and whose tokens we hold |
| `user_tokens` | tokens kept at a login, fetched and rotated |
| `preference_mapping` | preferences here and there: what differs, and who changed it |
| `sync` | what the commands do, user by user |
| `api_history`, `export` | what happened, by the API and its lists, and by the database |
| `activity`, `rebuild` | the sentences of a conversation, and the events behind them |
| `stream` | what happens, by the live socket |
| `compare` | what Chatwoot did, and what our rules say of the same |
"""
