import { type KekSource, kekFromCredential, kekFromFile, keks } from '@countersign/sealing'
import type { ResolvedConfig } from './resolve-config.ts'

/** The key-encryption keys of a configuration: the one that seals, and those of before, which only open. */
export function kekOf({ kekFile, kekCredential, previousKekFiles }: ResolvedConfig): KekSource {
  if (kekCredential === undefined) return kekFromFile(kekFile, { previous: previousKekFiles })
  const { name, directory } = kekCredential
  return keks(kekFromCredential(name, { directory }), ...previousKekFiles.map((file) => kekFromFile(file)))
}
