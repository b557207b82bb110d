import { z } from 'zod'

/** As long as the audit log keeps it whole. */
export const longestReason = 200

/** Why an operator does something, as it goes into the audit log: one line without what could forge or hide in another. */
export const reason = z
  .string('expected why: 1 to 200 characters')
  .trim()
  .min(1, 'expected why: 1 to 200 characters')
  .max(longestReason, 'expected why: 1 to 200 characters')
  .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, 'expected one line of printable characters')
