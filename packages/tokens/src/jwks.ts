export type { JwksEvent, RemoteJwksOptions } from './jwks-options.ts'
export { type RemoteJwks, remoteJwks } from './remote-jwks.ts'
