import type { Guard } from '@countersign/guard'
import { resourceMetadataUrl } from '@countersign/guard/http'
import { checkScopes } from '../core/scope-rules.ts'
import { within } from '../core/within.ts'
import { McpGuardError } from '../errors.ts'
import type { HttpOptions } from '../options.ts'
import type { HttpSettings } from './endpoint.ts'

/** @throws McpGuardError `no_resource`, `bad_option`, `unknown_scope`; GuardError for a resource that is no such URL */
export function checkHttpOptions(guard: Guard, options: HttpOptions): HttpSettings {
  const resourceText = options.resource ?? guard.resource
  if (resourceText === undefined) throw new McpGuardError('no_resource', 'Nobody said where the server answers.')
  resourceMetadataUrl({ resource: resourceText })
  // MCP clients look for it in the RFC 9728 document, which has to name one.
  if (guard.issuer === undefined) throw new McpGuardError('bad_option', 'The guard does not say who its `issuer` is.')
  const { baselineScopes = [], anonymous = false, catalogue = 'token', realm } = options
  checkScopes(baselineScopes, guard.scopes)
  if (!['token', 'public', 'none'].includes(catalogue)) {
    throw new McpGuardError('bad_option', 'catalogue: expected "token", "public" or "none".')
  }
  return {
    resource: new URL(resourceText),
    ...{ resourceText, baselineScopes, anonymous, catalogue, realm },
    maxBodyBytes: within('maxBodyBytes', options.maxBodyBytes, 1_048_576, [1024, 67_108_864]),
    maxBatch: within('maxBatch', options.maxBatch, 20, [1, 100]),
  }
}
