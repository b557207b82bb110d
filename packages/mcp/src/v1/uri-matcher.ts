import { UriTemplate } from '@modelcontextprotocol/sdk/shared/uriTemplate.js'
import { McpGuardError } from '../errors.ts'

/** The SDK's own way to tell whether a URI is one of a template's. @throws McpGuardError `bad_name` */
export function uriMatcher(uriTemplate: string): (uri: string) => boolean {
  try {
    const template = new UriTemplate(uriTemplate)
    return (uri) => template.match(uri) !== null
  } catch (cause) {
    throw new McpGuardError('bad_name', `${JSON.stringify(uriTemplate)} is no URI template.`, { cause })
  }
}
