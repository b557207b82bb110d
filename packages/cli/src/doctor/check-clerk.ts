import type { ClerkEnvironment, EnvironmentProblem } from '@countersign/clerk-convex/environment'
import type { ClerkSettings } from './clerk-settings.ts'
import { error, type Finding, ok } from './finding.ts'

type Check = (environment: ClerkEnvironment) => readonly EnvironmentProblem[]

const names: Readonly<Record<keyof ClerkEnvironment, string>> = {
  stage: 'The stage',
  publishableKey: 'The publishable key',
  secretKey: 'The secret key',
  issuer: 'The issuer',
  webhookSecret: "The webhook's signing secret",
  authorizedParties: 'The list of authorized parties',
}

const words: Readonly<Record<EnvironmentProblem['problem'], (stage: string) => string>> = {
  missing: () => 'is missing',
  malformed: () => 'has the wrong form',
  wrong_stage: (stage) => `is not for ${stage}`,
  mixed: () => 'is of another kind of instance than the publishable key',
  wrong_instance: () => "is not that of the publishable key's instance",
  insecure: (stage) => `is not safe in ${stage}`,
}

/** The settings by themselves, without asking anybody. No value is told, for it may be the secret. */
export function checkClerkSettings({ environment, placeOf }: ClerkSettings, check: Check): Finding[] {
  const problems = check(environment)
  const wrong = new Set(problems.map(({ setting }) => setting))
  const good = (Object.keys(names) as (keyof ClerkEnvironment)[]).filter((setting) => !wrong.has(setting))
  return [
    ...good.map((setting) => ok('settings', `${names[setting]} is in order.`, placeOf(setting))),
    ...problems.map(({ setting, problem, message }) =>
      error('settings', `${names[setting]} ${words[problem](environment.stage)}.`, placeOf(setting), message),
    ),
  ]
}
