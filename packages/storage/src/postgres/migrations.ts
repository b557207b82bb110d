import type { Migration } from '../sqlite/migrations.ts'

/**
 * In order; the first is version 1. Each expands: the program that knows only the version before must keep working
 * beside it, since instances are replaced one by one. What it replaced goes a release later. Text is compared byte by
 * byte (`COLLATE "C"`): orders are those of code points, whatever the server's language is.
 */
export const migrations: readonly Migration[] = [
  {
    name: 'key rings, accounts, sessions, tokens, throttle, revocation log',
    sql: `
      CREATE TABLE settings (
        name text COLLATE "C" PRIMARY KEY,
        value int8 NOT NULL
      );
      INSERT INTO settings (name, value) VALUES ('global_generation', 0);

      CREATE TABLE key_rings (
        name text COLLATE "C" PRIMARY KEY,
        version int8 NOT NULL,
        document text NOT NULL
      );

      CREATE TABLE users (
        id text COLLATE "C" PRIMARY KEY,
        identifier text COLLATE "C" NOT NULL UNIQUE,
        password_hash text NOT NULL,
        generation int8 NOT NULL,
        synthetic int2 NOT NULL DEFAULT 0,
        created_at int8 NOT NULL,
        disabled_at int8
      );
      CREATE INDEX users_disabled ON users (disabled_at) WHERE disabled_at IS NOT NULL;

      CREATE TABLE clients (
        id text COLLATE "C" PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE,
        type text NOT NULL,
        first_party int2 NOT NULL,
        grants text NOT NULL,
        audiences text NOT NULL,
        scopes text,
        origins text NOT NULL,
        refresh_delivery text NOT NULL,
        secrets text NOT NULL,
        keys text NOT NULL DEFAULT '[]',
        generation int8 NOT NULL,
        synthetic int2 NOT NULL DEFAULT 0,
        created_at int8 NOT NULL,
        disabled_at int8
      );
      CREATE INDEX clients_disabled ON clients (disabled_at) WHERE disabled_at IS NOT NULL;

      CREATE TABLE sessions (
        id text COLLATE "C" PRIMARY KEY,
        user_id text COLLATE "C" NOT NULL REFERENCES users (id),
        client_id text COLLATE "C" NOT NULL REFERENCES clients (id),
        audience text NOT NULL,
        scope text NOT NULL,
        global_generation int8 NOT NULL,
        client_generation int8 NOT NULL,
        user_generation int8 NOT NULL,
        created_at int8 NOT NULL,
        expires_at int8 NOT NULL,
        ended_at int8,
        end_reason text,
        issued_until int8 NOT NULL,
        keep_until int8 NOT NULL
      );
      CREATE INDEX sessions_of_user ON sessions (user_id, created_at, id);
      CREATE INDEX sessions_of_client ON sessions (client_id, ended_at);
      CREATE INDEX sessions_to_prune ON sessions (keep_until);
      CREATE INDEX sessions_ended ON sessions (issued_until) WHERE ended_at IS NOT NULL;

      CREATE TABLE refresh_tokens (
        hash text COLLATE "C" PRIMARY KEY,
        session_id text COLLATE "C" NOT NULL REFERENCES sessions (id),
        created_at int8 NOT NULL,
        expires_at int8 NOT NULL,
        spent_at int8,
        predecessor text COLLATE "C",
        sealed_successor text,
        replay_until int8
      );
      CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);
      CREATE INDEX refresh_tokens_to_prune ON refresh_tokens (expires_at);
      CREATE INDEX refresh_tokens_to_unseal ON refresh_tokens (replay_until) WHERE replay_until IS NOT NULL;

      CREATE TABLE issued_tokens (
        jti text COLLATE "C" PRIMARY KEY,
        session_id text COLLATE "C" NOT NULL,
        kid text COLLATE "C" NOT NULL,
        audience text COLLATE "C" NOT NULL,
        client_id text COLLATE "C" NOT NULL,
        subject text COLLATE "C" NOT NULL,
        issued_at int8 NOT NULL,
        expires_at int8 NOT NULL,
        revoked_at int8
      );
      CREATE INDEX issued_tokens_to_prune ON issued_tokens (expires_at);
      CREATE INDEX issued_tokens_of_key ON issued_tokens (kid, audience, expires_at);
      CREATE INDEX issued_tokens_revoked ON issued_tokens (expires_at) WHERE revoked_at IS NOT NULL;

      CREATE TABLE throttle (
        key text COLLATE "C" PRIMARY KEY,
        failures int8 NOT NULL,
        window_started_at int8 NOT NULL,
        blocked_until int8 NOT NULL,
        forget_at int8 NOT NULL
      );
      CREATE INDEX throttle_to_prune ON throttle (forget_at);

      CREATE TABLE client_assertions (
        id text COLLATE "C" PRIMARY KEY,
        until int8 NOT NULL
      );
      CREATE INDEX client_assertions_to_forget ON client_assertions (until);

      -- One row that every revocation changes: room for its versions on the same page.
      CREATE TABLE revocation_log (
        id int8 PRIMARY KEY CHECK (id = 1),
        epoch int8 NOT NULL,
        seq int8 NOT NULL
      ) WITH (fillfactor = 10);
      -- A later database of the same issuer has a higher epoch: nobody takes its feed for an old one.
      INSERT INTO revocation_log (id, epoch, seq) VALUES (1, floor(extract(epoch FROM now())), 0);

      CREATE TABLE revocation_entries (
        type text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        min_generation int8,
        until int8,
        successor text,
        PRIMARY KEY (type, id)
      );
      CREATE INDEX revocation_entries_to_drop ON revocation_entries (until);

      CREATE TABLE revocation_events (
        seq int8 PRIMARY KEY,
        change text NOT NULL,
        type text NOT NULL,
        id text NOT NULL,
        min_generation int8,
        until int8,
        successor text,
        at int8 NOT NULL
      );
      CREATE INDEX revocation_events_to_forget ON revocation_events (at, seq);

      CREATE TABLE consumer_acknowledgements (
        consumer text COLLATE "C" NOT NULL,
        instance text COLLATE "C" NOT NULL,
        kids text NOT NULL,
        epoch int8 NOT NULL,
        seq int8 NOT NULL,
        at int8 NOT NULL,
        PRIMARY KEY (consumer, instance)
      );
      CREATE INDEX consumer_acknowledgements_live ON consumer_acknowledgements (at);
      CREATE INDEX consumer_acknowledgements_newest ON consumer_acknowledgements (consumer, at DESC, instance);

      -- Wakes the instances that listen; the channel has the schema's name. Only what they keep in memory: the log, the
      -- key rings and the clients.
      CREATE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_catalog.pg_notify(TG_TABLE_SCHEMA, '');
        RETURN NULL;
      END $$;
      CREATE TRIGGER announce AFTER UPDATE ON revocation_log FOR EACH STATEMENT EXECUTE FUNCTION announce();
      CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON key_rings
        FOR EACH STATEMENT EXECUTE FUNCTION announce();
      CREATE TRIGGER announce AFTER UPDATE OR DELETE ON clients FOR EACH STATEMENT EXECUTE FUNCTION announce();
    `,
  },
  {
    name: 'credentials, scopes of users',
    sql: `
      ALTER TABLE users ADD COLUMN scopes text;

      CREATE TABLE credential_store (
        id int8 PRIMARY KEY CHECK (id = 1),
        identity text NOT NULL
      );

      CREATE TABLE credentials (
        owner text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        version int8 NOT NULL,
        created_at int8 NOT NULL,
        updated_at int8 NOT NULL,
        sealed text NOT NULL,
        PRIMARY KEY (owner, name)
      );
    `,
  },
]
