import type { GenericDatabaseReader, GenericDatabaseWriter, GenericDataModel, GenericMutationCtx } from 'convex/server'
import { v } from 'convex/values'
import { type Denied, denied } from '../../denial.ts'
import { createRunnerTokens, type RunnerTokens } from '../../runner/create-runner-tokens.ts'
import type { RunnerAuditEntry } from '../../runner/options.ts'
import type { Approver } from '../../runner/pairing.ts'
import { isRunnerRefusal, type RunnerRefused, refuse } from '../../runner/runner-refused.ts'
import type { Runner } from '../../runner/runner-store.ts'
import { type Known, seesWorkspace } from '../admission.ts'
import { authReader, authWriter } from '../contexts.ts'
import { makeFunction } from '../make-function.ts'
import type { Setting } from '../options.ts'
import type { OrgPrincipal } from '../principal.ts'
import { recordRefusal, recordRunner } from './audit.ts'
import { dbRunnerStore, readRunner } from './db-store.ts'
import { findRunner } from './find-runner.ts'
import { grantsOf } from './grants.ts'
import type { RunnerFunctions, RunnerView } from './options.ts'
import { clockOf } from './ports.ts'
import type { ReadOptions } from './read-options.ts'

/** Most runners that a list holds. */
const mostRunners = 100

/** What our own mutations are given: see `Guarded.isOurs`. */
interface OwnContext extends Pick<GenericMutationCtx<GenericDataModel>, 'meta'> {
  readonly db: GenericDatabaseWriter<GenericDataModel>
  readonly principal: OrgPrincipal
}

/** A person in an organisation: members only come this far. */
function approverOf({ user = '', organization }: OrgPrincipal): Approver {
  return { person: user, organization }
}

/**
 * What people do about runners. A refusal is an answer and not thrown: it keeps what was counted and written down, and an
 * entry about what in the end did not happen is not written at all.
 */
export function answersAboutRunners(setting: Setting, options: ReadOptions): Omit<RunnerFunctions, 'step'> {
  const { permissions, stepUpSeconds, scopes } = options
  const mutation = makeFunction(setting, { caller: 'org', kind: 'mutation', isOurs: true })

  const answering =
    <Args extends object, Answer>(answer: (runners: RunnerTokens, by: Approver, args: Args) => Promise<Answer>) =>
    async (context: object, given: object): Promise<Answer | Denied> => {
      // Built by `makeFunction` for our own functions, its arguments held against the validators beside it.
      const ctx = context as OwnContext
      const args = given as Args
      const { db, by, origin } = { db: authWriter(ctx.db), by: approverOf(ctx.principal), origin: await originOf(ctx) }
      const entries: Exclude<RunnerAuditEntry, { type: 'refused' }>[] = []
      const runners = createRunnerTokens({
        ...unused,
        verificationUrl: unused.url,
        clock: clockOf(setting),
        store: dbRunnerStore(db),
        grants: (person, organization) =>
          grantsOf(db, setting, scopes, { person, organization, workspace: workspaceOf(args) }),
        audit: async (entry) => void (entry.type !== 'refused' && entries.push(entry)),
      })
      const known = knownOf(ctx.principal)
      try {
        const result = await answer(runners, by, args)
        for (const entry of entries) await recordRunner(db, setting, entry, known, origin)
        return result
      } catch (error) {
        if (!isRunnerRefusal(error)) throw error
        const { code } = error
        await recordRefusal(db, setting, { at: 'person', code }, known, origin)
        return refusalOf(error)
      }
    }

  /** A runner of a workspace that its person does not see is no runner. */
  const ending = (revoke: boolean) =>
    mutation({
      args: { runner: v.string() },
      permission: permissions.end,
      audit: revoke ? 'runner.revoke' : 'runner.end_tokens',
      handler: async (context, given) => {
        const { db, principal } = context as OwnContext
        const row = await findRunner(authReader(db), String(Reflect.get(given, 'runner')))
        const isSeen = row?.organization === principal.organization
        const isTheirs = isSeen && (await seesWorkspace(principal, row.workspace, authReader(db)))
        const end = answering(async (runners, by, { runner }: { readonly runner: string }) => {
          if (!isTheirs) return refuse('unpaired_runner')
          await (revoke ? runners.revoke(by, runner) : runners.endTokens(by, runner))
          return null
        })
        return end(context, given)
      },
    })

  const made: Record<keyof Omit<RunnerFunctions, 'step'>, unknown> = {
    lookUp: mutation({
      args: { code: v.string() },
      permission: permissions.pair,
      audit: 'runner.look_up',
      handler: answering((runners, by, { code }: { readonly code: string }) => runners.lookUp(by, code)),
    }),
    approve: mutation({
      args: { code: v.string(), workspace: v.string() },
      permission: permissions.pair,
      audit: 'runner.approve',
      stepUpSeconds,
      handler: answering(
        async (runners, by, { code, workspace }: { readonly code: string; readonly workspace: string }) =>
          viewOf(await runners.approve(by, code, workspace)),
      ),
    }),
    deny: mutation({
      args: { code: v.string() },
      permission: permissions.pair,
      audit: 'runner.deny',
      handler: answering(async (runners, by, { code }: { readonly code: string }) => {
        await runners.deny(by, code)
        return null
      }),
    }),
    list: makeFunction(setting, { caller: 'org', kind: 'query', isOurs: true })({
      args: { workspace: v.string() },
      workspace: 'workspace',
      handler: async (context, given) => {
        const { db, principal } = context as { readonly db: GenericDatabaseReader<GenericDataModel> } & OwnContext
        const workspace = String(Reflect.get(given, 'workspace'))
        const query = authReader(db).query('authRunners')
        const ofWorkspace = query.withIndex('by_name', (q) =>
          q.eq('organization', principal.organization).eq('workspace', workspace),
        )
        return (await ofWorkspace.take(mostRunners)).map((row) => viewOf(readRunner(row)))
      },
    }),
    endTokens: ending(false),
    revoke: ending(true),
  }
  // Each is what its definition above says; the registrars have lost the types on the way.
  return made as Omit<RunnerFunctions, 'step'>
}

/** Ports that no answer of a person's asks for. */
const unused = {
  url: 'https://localhost/runner',
  tokens: { verify: () => refuse('unsupported_grant') },
  sessions: { verify: () => refuse('unsupported_grant') },
  usedProofs: { seen: async () => true },
  sign: () => refuse('unsupported_grant'),
}

function knownOf({ organization, user, actor, session }: OrgPrincipal): Known {
  return {
    organization,
    ...(user === undefined ? {} : { user }),
    ...(actor === undefined ? {} : { actor }),
    ...(session === undefined ? {} : { session }),
  }
}

function workspaceOf(args: object): string {
  const workspace: unknown = Reflect.get(args, 'workspace')
  return typeof workspace === 'string' ? workspace : ''
}

async function originOf(ctx: OwnContext) {
  const { ip, userAgent, requestId } = await ctx.meta.getRequestMetadata()
  return { ip, userAgent, requestId }
}

function refusalOf({ code }: RunnerRefused): Denied {
  return { countersignDenied: { ...denied('runner_refused').countersignDenied, runner: code } }
}

function viewOf({ id, name, workspace, owner, scopes, thumbprint, revoked, pairedAt }: Runner): RunnerView {
  const fingerprint = thumbprint.slice(0, 8)
  return { runner: id, name, workspace, owner, scopes: [...scopes], fingerprint, revoked, pairedAt }
}
