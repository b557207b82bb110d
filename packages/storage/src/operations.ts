import type { Operation } from './operation.ts'
import {
  type AcknowledgementReads,
  type AcknowledgementWrites,
  acknowledgementReads,
  acknowledgementWrites,
} from './operations/acknowledgements.ts'
import { type AssertionWrites, assertionWrites } from './operations/assertions.ts'
import { type ClientReads, type ClientWrites, clientReads, clientWrites } from './operations/clients.ts'
import {
  type CredentialReads,
  type CredentialWrites,
  credentialReads,
  credentialWrites,
} from './operations/credentials.ts'
import { type ExchangeWrites, exchangeWrites } from './operations/exchange.ts'
import { type ForeignReads, foreignReads } from './operations/foreign.ts'
import { type IssuedReads, type IssuedWrites, issuedReads, issuedWrites } from './operations/issued.ts'
import { type KeyRingReads, type KeyRingWrites, keyRingReads, keyRingWrites } from './operations/key-rings.ts'
import { type PruneWrites, pruneWrites } from './operations/prune.ts'
import {
  type RevocationReads,
  type RevocationWrites,
  revocationReads,
  revocationWrites,
  revoking,
} from './operations/revocations.ts'
import { type SessionReads, type SessionWrites, sessionReads, sessionWrites } from './operations/sessions.ts'
import { type SettingReads, type SettingWrites, settingReads, settingWrites } from './operations/settings.ts'
import { type ThrottleReads, type ThrottleWrites, throttleReads, throttleWrites } from './operations/throttle.ts'
import { type UnrevokedReads, unrevokedReads } from './operations/unrevoked.ts'
import { type UserReads, type UserWrites, userReads, userWrites } from './operations/users.ts'
import type { Compile } from './statement.ts'

/** Each is a single look at the data. */
export interface Reads
  extends KeyRingReads,
    UserReads,
    ClientReads,
    SessionReads,
    IssuedReads,
    ForeignReads,
    ThrottleReads,
    SettingReads,
    RevocationReads,
    UnrevokedReads,
    AcknowledgementReads,
    CredentialReads {}

/** Each needs a transaction around it, and takes and gives only what can be sent to another thread. */
export interface Writes
  extends KeyRingWrites,
    UserWrites,
    ClientWrites,
    SessionWrites,
    IssuedWrites,
    ExchangeWrites,
    AssertionWrites,
    ThrottleWrites,
    SettingWrites,
    RevocationWrites,
    AcknowledgementWrites,
    CredentialWrites,
    PruneWrites {}

export type WriteName = keyof Writes
export type WriteResult<K extends WriteName> = ReturnType<Writes[K]> extends Operation<infer T> ? T : never

export function createReads(compile: Compile): Reads {
  return {
    ...keyRingReads(compile),
    ...userReads(compile),
    ...clientReads(compile),
    ...sessionReads(compile),
    ...issuedReads(compile),
    ...foreignReads(compile),
    ...throttleReads(compile),
    ...settingReads(compile),
    ...revocationReads(compile),
    ...unrevokedReads(compile),
    ...acknowledgementReads(compile),
    ...credentialReads(compile),
  }
}

export function createWrites(compile: Compile): Writes {
  const revoke = revoking(compile)
  return {
    ...keyRingWrites(compile, revoke),
    ...userWrites(compile, revoke),
    ...clientWrites(compile, revoke),
    ...sessionWrites(compile, revoke),
    ...issuedWrites(compile, revoke),
    ...exchangeWrites(compile),
    ...assertionWrites(compile),
    ...revocationWrites(compile, revoke),
    ...acknowledgementWrites(compile),
    ...throttleWrites(compile),
    ...settingWrites(compile),
    ...pruneWrites(compile),
    ...credentialWrites(compile),
  }
}
