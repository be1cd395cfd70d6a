"""The heart: what happened, who may know, what they want, what is decided and why.

Pure: no file, clock, network, database or terminal. Read in this order: `notifications`,
`preferences`, `layers`, `directory`, `state`, `candidates`, `decision`, `ladder`, `evaluator`,
`replay`.
"""
