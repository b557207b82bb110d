/** One step of the schema. A released one is never changed: add another. */
export interface Migration {
  readonly name: string
  readonly sql: string
}

/**
 * In order; the first is version 1. Each expands: the program that knows only the version before must keep working
 * beside it, since processes are replaced one by one. What it replaced goes a release later.
 */
export const migrations: readonly Migration[] = [
  {
    name: 'key rings, accounts, sessions, issued tokens, throttle',
    sql: `
      CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      INSERT INTO settings (name, value) VALUES ('global_generation', 0);

      CREATE TABLE key_rings (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        document TEXT NOT NULL
      ) STRICT;

      CREATE TABLE users (
        id TEXT PRIMARY KEY,
        identifier TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        generation INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        disabled_at INTEGER
      ) STRICT;

      CREATE TABLE clients (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        type TEXT NOT NULL,
        first_party INTEGER NOT NULL,
        grants TEXT NOT NULL,
        audiences TEXT NOT NULL,
        scopes TEXT,
        origins TEXT NOT NULL,
        refresh_delivery TEXT NOT NULL,
        secrets TEXT NOT NULL,
        generation INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        disabled_at INTEGER
      ) STRICT;

      CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES users (id),
        client_id TEXT NOT NULL REFERENCES clients (id),
        audience TEXT NOT NULL,
        scope TEXT NOT NULL,
        global_generation INTEGER NOT NULL,
        client_generation INTEGER NOT NULL,
        user_generation INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended_at INTEGER,
        end_reason TEXT,
        issued_until INTEGER NOT NULL,
        keep_until INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX sessions_of_user ON sessions (user_id, created_at, id);
      CREATE INDEX sessions_of_client ON sessions (client_id, ended_at);
      CREATE INDEX sessions_to_prune ON sessions (keep_until);

      CREATE TABLE refresh_tokens (
        hash TEXT PRIMARY KEY,
        session_id TEXT NOT NULL REFERENCES sessions (id),
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        spent_at INTEGER
      ) STRICT;
      CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);
      CREATE INDEX refresh_tokens_to_prune ON refresh_tokens (expires_at);

      CREATE TABLE issued_tokens (
        jti TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        kid TEXT NOT NULL,
        audience TEXT NOT NULL,
        client_id TEXT NOT NULL,
        subject TEXT NOT NULL,
        issued_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        revoked_at INTEGER
      ) STRICT;
      CREATE INDEX issued_tokens_to_prune ON issued_tokens (expires_at);

      CREATE TABLE throttle (
        key TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        window_started_at INTEGER NOT NULL,
        blocked_until INTEGER NOT NULL,
        forget_at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX throttle_to_prune ON throttle (forget_at);
    `,
  },
  {
    name: 'revocation log, acknowledgements, replay of a refresh',
    sql: `
      CREATE TABLE revocation_log (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL
      ) STRICT;
      -- A later database of the same issuer has a higher epoch: nobody takes its feed for an old one.
      INSERT INTO revocation_log (id, epoch, seq) VALUES (1, unixepoch(), 0);

      CREATE TABLE revocation_entries (
        type TEXT NOT NULL,
        id TEXT NOT NULL,
        min_generation INTEGER,
        until INTEGER,
        successor TEXT,
        PRIMARY KEY (type, id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX revocation_entries_to_drop ON revocation_entries (until);

      CREATE TABLE revocation_events (
        seq INTEGER PRIMARY KEY,
        change TEXT NOT NULL,
        type TEXT NOT NULL,
        id TEXT NOT NULL,
        min_generation INTEGER,
        until INTEGER,
        successor TEXT,
        at INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX revocation_events_to_forget ON revocation_events (at);

      CREATE TABLE consumer_acknowledgements (
        consumer TEXT NOT NULL,
        instance TEXT NOT NULL,
        kids TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (consumer, instance)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX consumer_acknowledgements_live ON consumer_acknowledgements (at);
      CREATE INDEX consumer_acknowledgements_newest ON consumer_acknowledgements (consumer, at DESC, instance);

      ALTER TABLE refresh_tokens ADD COLUMN predecessor TEXT;
      ALTER TABLE refresh_tokens ADD COLUMN sealed_successor TEXT;
      ALTER TABLE refresh_tokens ADD COLUMN replay_until INTEGER;
      CREATE INDEX refresh_tokens_to_unseal ON refresh_tokens (replay_until) WHERE replay_until IS NOT NULL;

      CREATE INDEX issued_tokens_of_key ON issued_tokens (kid, audience, expires_at);
      CREATE INDEX issued_tokens_revoked ON issued_tokens (expires_at) WHERE revoked_at IS NOT NULL;
      CREATE INDEX sessions_ended ON sessions (issued_until) WHERE ended_at IS NOT NULL;
      CREATE INDEX users_disabled ON users (disabled_at) WHERE disabled_at IS NOT NULL;
      CREATE INDEX clients_disabled ON clients (disabled_at) WHERE disabled_at IS NOT NULL;
    `,
  },
  {
    name: 'keys of clients, used assertions, synthetic accounts',
    sql: `
      ALTER TABLE users ADD COLUMN synthetic INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE clients ADD COLUMN synthetic INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE clients ADD COLUMN keys TEXT NOT NULL DEFAULT '[]';

      CREATE TABLE client_assertions (
        id TEXT PRIMARY KEY,
        until INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX client_assertions_to_forget ON client_assertions (until);
    `,
  },
  {
    name: 'credentials, scopes of users',
    sql: `
      ALTER TABLE users ADD COLUMN scopes TEXT;

      CREATE TABLE credential_store (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        identity TEXT NOT NULL
      ) STRICT;

      CREATE TABLE credentials (
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        sealed TEXT NOT NULL,
        PRIMARY KEY (owner, name)
      ) STRICT;
    `,
  },
]
