import { z } from 'zod'
import { readSecret } from './webhook-signature.ts'

export const webhookSecret = z
  .string()
  .refine((secret) => readSecret(secret) !== undefined, 'expected whsec_ and at least 24 bytes in base64')
