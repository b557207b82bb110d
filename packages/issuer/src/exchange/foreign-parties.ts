import { isForeignId } from '../account-ids.ts'
import type { Party } from '../ports.ts'

/** An organization as a party of a token: apart from people, who may have the same id where an issuer only counts. */
export function organizationParty(issuerName: string, id: string): string {
  return `${issuerName}:org:${id}`
}

/** Whom, and which session, another issuer named in a token, each with the generation that the token carries. */
export function foreignParties(
  { subject, session, via = [] }: { subject: string; session?: string | undefined; via?: readonly string[] },
  subjectGeneration: number,
  viaGenerations: readonly number[],
): readonly Party[] {
  const parties: Party[] = []
  if (isForeignId(subject)) parties.push({ id: subject, generation: subjectGeneration })
  if (session !== undefined && isForeignId(session)) parties.push({ id: session, generation: 0 })
  for (const [index, id] of via.entries()) {
    if (isForeignId(id)) parties.push({ id, generation: viaGenerations[index] ?? 0 })
  }
  return parties
}
