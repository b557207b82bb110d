export { type Proxy, startProxy } from './proxy.ts'
export { query } from './query.ts'
export { type PostgresServer, type ServerOptions, type StopMode, startServer } from './server.ts'
export { createDatabase, type SharedServer, sharedServer } from './shared.ts'
