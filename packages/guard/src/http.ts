export { admitRequest, admitRequestNow } from './admit-request.ts'
export { type ChallengeOptions, challenge, type Denial, type Refusal, statusOf } from './challenge.ts'
export { type HeadersLike, type RequestLike, readBearer } from './read-bearer.ts'
export {
  metadataPath,
  type ProtectedResourceMetadata,
  protectedResourceMetadata,
  resourceMetadataUrl,
} from './resource-metadata.ts'
