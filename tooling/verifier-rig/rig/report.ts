import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { Tally } from './traffic.ts'
import { verifierNames } from './verifiers.ts'

const packages = ['jose', 'aws-jwt-verify', 'express-oauth2-jwt-bearer', 'fast-jwt', 'get-jwks'] as const

function versionOf(name: string): string {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}

export interface RunReport {
  readonly name: string
  readonly settings: Readonly<Record<string, string | number>>
  readonly rotations: number
  readonly seconds: number
  readonly tally: Tally
}

/** What a run has found, as JSON; the same form for every run. */
export function resultOf({ name, settings, rotations, seconds, tally }: RunReport) {
  return {
    name,
    node: process.version,
    cpus: cpus().length,
    settings,
    verifiers: verifierNames,
    versions: Object.fromEntries(packages.map((one) => [one, versionOf(one)])),
    rotations,
    seconds: Math.round(seconds),
    tokens: tally.issued,
    keys: tally.kids.size,
    verifications: tally.verified,
    valid_tokens_refused: tally.refusals,
    signatures_by_an_unpublished_key: tally.signedUnpublished,
    stray_tokens_refused: tally.strayRefused,
    stray_tokens_taken: tally.strayTaken,
    refused: tally.refused,
  }
}

export type RigResult = ReturnType<typeof resultOf>

export const isClean = (result: RigResult): boolean =>
  result.valid_tokens_refused + result.signatures_by_an_unpublished_key + result.stray_tokens_taken === 0

/** Prints the result as JSON on stdout; keeps it when the run was a whole one. */
export function deliver(result: RigResult, keep: boolean): void {
  const text = `${JSON.stringify(result, undefined, 2)}\n`
  process.stdout.write(text)
  if (keep) writeFileSync(new URL(`../results/${result.name}.json`, import.meta.url), text)
  process.exitCode = isClean(result) ? 0 : 1
}
