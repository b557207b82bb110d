export type { DocumentAnswer, DocumentProblem } from './fetch-contract.ts'
export type { JwksEvent, RemoteJwksOptions } from './jwks-options.ts'
export { type ReadDocumentOptions, readDocument } from './read-document.ts'
export { type RemoteJwks, remoteJwks } from './remote-jwks.ts'
