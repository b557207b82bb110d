import { CredentialsError } from './errors.ts'
import type { CredentialPlace, CredentialRecord } from './ports.ts'

const longest = 256
/** Letters, marks, digits, punctuation, symbols and the space: nothing that steers a terminal or turns text around. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u

/**
 * No name of ours becomes a path; refusing what looks like one keeps it so for whoever exports them to files.
 *
 * @throws CredentialsError `name_invalid`
 */
export function checkName(text: string, what: 'owner' | 'name'): void {
  const fine =
    typeof text === 'string' &&
    text.length <= longest &&
    printable.test(text) &&
    text === text.normalize('NFC') &&
    text === text.trim() &&
    !/[/\\]/u.test(text) &&
    text !== '.' &&
    text !== '..'
  if (!fine) throw new CredentialsError('name_invalid', `this is no ${what} of a credential`)
}

export function checkPlace({ owner, name }: CredentialPlace): void {
  checkName(owner, 'owner')
  checkName(name, 'name')
}

/** What the seal binds a secret to, in a form in which no two places give the same bytes. */
export function boundTo(store: string, record: Omit<CredentialRecord, 'sealed'>): Buffer {
  const { owner, name, version, createdAt, updatedAt } = record
  return Buffer.from(JSON.stringify(['countersign credential v1', store, owner, name, version, createdAt, updatedAt]))
}
