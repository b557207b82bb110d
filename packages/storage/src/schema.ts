/** The tables as every engine has them. Instants are Unix seconds; lists are JSON text; truth is 0 or 1. */
export interface Schema {
  settings: SettingsTable
  key_rings: KeyRingsTable
  users: UsersTable
  clients: ClientsTable
  sessions: SessionsTable
  refresh_tokens: RefreshTokensTable
  issued_tokens: IssuedTokensTable
  throttle: ThrottleTable
  client_assertions: ClientAssertionsTable
  revocation_log: RevocationLogTable
  revocation_entries: RevocationEntriesTable
  revocation_events: RevocationEventsTable
  consumer_acknowledgements: AcknowledgementsTable
  credential_store: CredentialStoreTable
  credentials: CredentialsTable
}

interface SettingsTable {
  name: string
  value: number
}

interface KeyRingsTable {
  name: string
  version: number
  document: string
}

export interface UsersTable {
  id: string
  identifier: string
  password_hash: string
  generation: number
  synthetic: number
  scopes: string | null
  created_at: number
  disabled_at: number | null
}

export interface ClientsTable {
  id: string
  name: string
  type: string
  first_party: number
  grants: string
  audiences: string
  scopes: string | null
  origins: string
  refresh_delivery: string
  secrets: string
  keys: string
  generation: number
  synthetic: number
  created_at: number
  disabled_at: number | null
}

export interface SessionsTable {
  id: string
  user_id: string
  client_id: string
  audience: string
  scope: string
  global_generation: number
  client_generation: number
  user_generation: number
  created_at: number
  expires_at: number
  ended_at: number | null
  end_reason: string | null
  /** The latest expiry of a token issued under it. */
  issued_until: number
  /** The later of its end (or absolute limit) and `issued_until`: pruned after that. */
  keep_until: number
}

interface RefreshTokensTable {
  hash: string
  session_id: string
  created_at: number
  expires_at: number
  spent_at: number | null
  /** The token that this one came out of. */
  predecessor: string | null
  /** Of a token just spent: what gives its successor, to whoever has the spent token itself. */
  sealed_successor: string | null
  replay_until: number | null
}

interface IssuedTokensTable {
  jti: string
  session_id: string
  kid: string
  audience: string
  client_id: string
  subject: string
  issued_at: number
  expires_at: number
  revoked_at: number | null
}

/** Those that were used. */
interface ClientAssertionsTable {
  id: string
  until: number
}

interface ThrottleTable {
  key: string
  failures: number
  window_started_at: number
  blocked_until: number
  /** From then on the row counts as if it had never been. */
  forget_at: number
}

/** One row. */
interface RevocationLogTable {
  id: number
  epoch: number
  seq: number
}

/** What is in force. */
export interface RevocationEntriesTable {
  type: string
  /** Empty for `global`. */
  id: string
  min_generation: number | null
  /** Null: never dropped. */
  until: number | null
  /** JSON. */
  successor: string | null
}

interface RevocationEventsTable extends RevocationEntriesTable {
  seq: number
  change: string
  at: number
}

interface AcknowledgementsTable {
  consumer: string
  instance: string
  kids: string
  epoch: number
  seq: number
  at: number
}

/** One row. */
interface CredentialStoreTable {
  id: number
  /** Random; what is sealed is bound to it. */
  identity: string
}

interface CredentialsTable {
  owner: string
  name: string
  version: number
  created_at: number
  updated_at: number
  sealed: string
}
