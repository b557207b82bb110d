import type { Grants } from '../../runner/options.ts'
import { type AuthReader, admitExplicit } from '../admission.ts'
import type { Setting } from '../options.ts'

/** In which workspace of which organisation somebody wants a runner to work. */
export interface Claimant {
  readonly person: string
  readonly organization: string
  readonly workspace: string
}

/** What a person may have a runner do in one workspace, as our tables say now; undefined for no member. */
export async function grantsOf(
  db: AuthReader,
  setting: Setting,
  scopes: ReadonlySet<string>,
  { person, organization, workspace }: Claimant,
): Promise<Grants | undefined> {
  const outcome = await admitExplicit({ organization, user: person }, db, setting, { workspace })
  if ('principal' in outcome) {
    const { permissions } = outcome.principal
    return { scopes: [...permissions].filter((one) => scopes.has(one)), workspaces: [workspace] }
  }
  return outcome.reason === 'workspace_hidden' ? { scopes: [], workspaces: [] } : undefined
}
