-- Everything that notifycli wants to know of a Chatwoot's database, as JSON Lines. For psql:
--
--   psql -qAt chatwoot_production < this | notifycli chatwoot import-export -
--
-- It reads, in one transaction, and changes nothing. It selects no token, password or key, and no
-- text of a message but two things: the markup of mentions, and the sentences that Chatwoot itself
-- writes into a conversation ("Assigned to Jane by Omar").
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
\set FETCH_COUNT 1000
\encoding UTF8

BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO';

-- What this version of Chatwoot has.
SELECT
  to_regclass('conversation_participants') IS NOT NULL AS has_participants,
  to_regclass('reporting_events') IS NOT NULL AS has_reporting_events,
  to_regclass('sla_events') IS NOT NULL AS has_sla_events,
  to_regclass('custom_roles') IS NOT NULL AS has_custom_roles,
  to_regclass('agent_bot_inboxes') IS NOT NULL AS has_bots,
  to_regclass('integrations_hooks') IS NOT NULL AS has_hooks,
  to_regclass('captain_inboxes') IS NOT NULL AS has_captain,
  EXISTS (
    SELECT FROM information_schema.columns
    WHERE table_name = 'conversations' AND column_name = 'assignee_agent_bot_id'
      AND table_schema = ANY (current_schemas(false))
  ) AS has_bot_assignees,
  EXISTS (
    SELECT FROM information_schema.columns
    WHERE table_name = 'contacts' AND column_name = 'blocked'
      AND table_schema = ANY (current_schemas(false))
  ) AS has_blocked
\gset

-- A part that this version lacks is written as what it would give: nothing.
\set permissions 'NULL::json'
\set bot 'NULL::boolean'
\set bot_assignee 'NULL::bigint'
\set blocked 'NULL::boolean'
\if :has_custom_roles
  \set permissions '(SELECT to_json(r.permissions) FROM custom_roles r WHERE r.id = au.custom_role_id)'
\endif
\if :has_bots
  \set bot 'EXISTS (SELECT FROM agent_bot_inboxes b WHERE b.inbox_id = i.id AND b.status = 0)'
\endif
\if :has_hooks
  -- Dialogflow is an integration.
  \set bot :bot ' OR EXISTS (SELECT FROM integrations_hooks h WHERE h.inbox_id = i.id AND h.app_id = ''dialogflow'' AND h.status = 1)'
\endif
\if :has_captain
  \set bot :bot ' OR EXISTS (SELECT FROM captain_inboxes k WHERE k.inbox_id = i.id)'
\endif
\if :has_bot_assignees
  \set bot_assignee 'c.assignee_agent_bot_id'
\endif
\if :has_blocked
  \set blocked '(SELECT k.blocked FROM contacts k WHERE k.id = c.contact_id)'
\endif
\set of_conversation '(:''account'' = '''' OR c.account_id::text = :''account'') AND c.last_activity_at >= :''since'' AND c.created_at < :''until'''
\set was_assigned 'false'
\set handed_over 'false'
\if :has_reporting_events
  \set was_assigned 'EXISTS (SELECT FROM reporting_events r WHERE r.conversation_id = c.id AND r.user_id = p.user_id)'
  \set handed_over 'EXISTS (SELECT FROM reporting_events r WHERE r.conversation_id = c.id AND r.name = ''conversation_bot_handoff'')'
\endif

SELECT json_build_object('chatwoot_export', json_build_object(
  'version', 1,
  'since', to_char(NULLIF(:'since', '-infinity')::timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
));

-- The directory: a document an account.
SELECT json_build_object('directory', json_build_object(
  'account', json_build_object('id', a.id, 'name', a.name),
  'users', (
    SELECT COALESCE(json_agg(json_build_object(
      'id', u.id,
      'email', u.email,
      'name', u.name,
      'role', CASE au.role WHEN 1 THEN 'administrator' ELSE 'agent' END,
      'confirmed', u.confirmed_at IS NOT NULL,
      'permissions', :permissions
    ) ORDER BY u.id), '[]')
    FROM account_users au JOIN users u ON u.id = au.user_id WHERE au.account_id = a.id
  ),
  'inboxes', (
    SELECT COALESCE(json_agg(json_build_object(
      'id', i.id,
      'name', i.name,
      'bot', :bot,
      'members', (
        SELECT COALESCE(json_agg(m.user_id ORDER BY m.user_id), '[]')
        FROM inbox_members m JOIN account_users au ON au.user_id = m.user_id AND au.account_id = a.id
        WHERE m.inbox_id = i.id
      )
    ) ORDER BY i.id), '[]')
    FROM inboxes i WHERE i.account_id = a.id
  ),
  'teams', (
    SELECT COALESCE(json_agg(json_build_object(
      'id', t.id,
      'name', t.name,
      'members', (
        SELECT COALESCE(json_agg(m.user_id ORDER BY m.user_id), '[]')
        FROM team_members m JOIN account_users au ON au.user_id = m.user_id AND au.account_id = a.id
        WHERE m.team_id = t.id
      )
    ) ORDER BY t.id), '[]')
    FROM teams t WHERE t.account_id = a.id
  )
))
FROM accounts a
WHERE a.id = COALESCE(NULLIF(:'account', '')::bigint, a.id)
ORDER BY a.id;

-- The preferences of every user.
SELECT json_build_object('preferences', json_build_object(
  'account_id', au.account_id,
  'user_id', au.user_id,
  'email_flags', n.email_flags,
  'push_flags', n.push_flags,
  'ui_settings', (
    SELECT json_object_agg(s.key, s.value) FROM jsonb_each(
      CASE jsonb_typeof(u.ui_settings::jsonb) WHEN 'object' THEN u.ui_settings::jsonb ELSE '{}' END
    ) s
    WHERE s.key IN (
      'enable_audio_alerts', 'always_play_audio_alert',
      'alert_if_unread_assigned_conversation_exist', 'notification_tone'
    )
  )
))
FROM account_users au
JOIN users u ON u.id = au.user_id
LEFT JOIN notification_settings n ON n.account_id = au.account_id AND n.user_id = au.user_id
WHERE au.account_id = COALESCE(NULLIF(:'account', '')::bigint, au.account_id)
ORDER BY au.account_id, au.user_id;

-- What happened: each kind in the order of time. The conversations are those in which something has
-- happened since; what came before and says who they were assigned to belongs to it.
SELECT json_build_object('conversation', json_build_object(
  'at', to_char(c.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'account', c.account_id,
  'id', c.display_id,
  'inbox', c.inbox_id,
  'status', c.status,
  'assignee', c.assignee_id,
  'bot_assignee', :bot_assignee,
  'team', c.team_id,
  'blocked', :blocked,
  'handed_over', :handed_over
))
FROM conversations c
WHERE :of_conversation
ORDER BY c.created_at, c.id;

\if :has_participants
-- Who takes part and was assigned without a sentence that says so: by the classic round robin.
SELECT json_build_object('joined', json_build_object(
  'at', to_char(p.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'account', c.account_id,
  'conversation', c.display_id,
  'user', p.user_id
))
FROM conversation_participants p
JOIN conversations c ON c.id = p.conversation_id
JOIN users u ON u.id = p.user_id
WHERE :of_conversation AND p.created_at < :'until'
  AND (c.assignee_id = p.user_id OR :was_assigned)
  AND NOT EXISTS (
    SELECT FROM messages m
    WHERE m.conversation_id = c.id
      AND m.created_at BETWEEN p.created_at - interval '10 s' AND p.created_at + interval '1 min'
      AND (
        m.content LIKE '%mention://user/' || u.id || '/%'
        OR (m.message_type = 2 AND position(u.name IN m.content) > 0)
      )
  )
ORDER BY p.created_at, p.id;
\endif

SELECT json_build_object('message', json_build_object(
  'at', to_char(m.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'account', c.account_id,
  'conversation', c.display_id,
  'id', m.id,
  'type', m.message_type,
  'private', m.private,
  'sender_type', m.sender_type,
  'sender', m.sender_id,
  'content', CASE
    WHEN m.message_type = 2 THEN m.content
    ELSE (
      SELECT string_agg(x[1], ' ')
      FROM regexp_matches(m.content, '(\(mention://(?:user|team)/[^)]*\))', 'g') x
    )
  END,
  -- Some versions keep the JSON as text in JSON: both are read as text, and nothing else of it.
  'status', CASE WHEN m.message_type = 2 THEN (regexp_match(
    replace(m.content_attributes::text, '\"', '"'),
    '"activity"\s*:\s*\{[^{}]*"status"\s*:\s*"([a-z_]+)"'
  ))[1] END
))
FROM messages m
JOIN conversations c ON c.id = m.conversation_id
WHERE :of_conversation AND m.created_at < :'until' AND (m.created_at >= :'since' OR m.message_type = 2)
ORDER BY m.created_at, m.id;

\if :has_reporting_events
SELECT json_build_object('report', json_build_object(
  'at', to_char(r.event_end_time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'account', c.account_id,
  'conversation', c.display_id,
  'name', r.name,
  'user', r.user_id
))
FROM reporting_events r
JOIN conversations c ON c.id = r.conversation_id
WHERE :of_conversation AND r.event_end_time < :'until'
  AND r.name IN ('conversation_bot_handoff', 'conversation_resolved', 'conversation_opened')
ORDER BY r.event_end_time, r.id;
\endif

\if :has_sla_events
SELECT json_build_object('sla', json_build_object(
  'at', to_char(s.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'account', c.account_id,
  'conversation', c.display_id,
  'type', s.event_type
))
FROM sla_events s
JOIN conversations c ON c.id = s.conversation_id
WHERE :of_conversation AND s.created_at >= :'since' AND s.created_at < :'until'
ORDER BY s.created_at, s.id;
\endif

-- What Chatwoot noted that it told somebody.
SELECT json_build_object('notification', json_build_object(
  'at', to_char(n.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'account', n.account_id,
  'user', n.user_id,
  'type', n.notification_type,
  'conversation', c.display_id,
  'message', CASE n.secondary_actor_type WHEN 'Message' THEN n.secondary_actor_id END,
  'read', n.read_at IS NOT NULL
))
FROM notifications n
JOIN conversations c ON c.id = n.primary_actor_id
WHERE n.primary_actor_type = 'Conversation' AND :of_conversation
  AND n.created_at >= :'since' AND n.created_at < :'until'
ORDER BY n.created_at, n.id;

SELECT json_build_object('end', true);
COMMIT;
