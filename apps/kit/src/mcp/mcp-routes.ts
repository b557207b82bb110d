import type { RequestListener } from 'node:http'
import type { Guard } from '@countersign/guard'
import { createConsumerApp } from '../consumer-app.ts'

type McpHandler = (...parameters: Parameters<RequestListener>) => Promise<void>

export interface McpRoutesOptions<Scope extends string> {
  readonly guard: Guard<Scope>
  /** In the challenges. */
  readonly realm: string
  /** Answers at `/mcp`, and the documents of RFC 9728. */
  readonly mcp: McpHandler
  readonly onFault: (error: unknown) => void
}

const ofMcp = /^\/(?:mcp|\.well-known\/oauth-protected-resource)(?:[/?]|$)/

/** An MCP server beside what every consumer of the fleet answers: `/healthz` and `/whoami`. */
export function mcpRoutes<Scope extends string>(options: McpRoutesOptions<Scope>): RequestListener {
  const { guard, realm, mcp, onFault } = options
  const { app } = createConsumerApp({ guard, realm, onFault }, () => undefined)
  return (request, response) => {
    if (!ofMcp.test(request.url ?? '')) return void app(request, response)
    mcp(request, response).catch((error: unknown) => {
      onFault(error)
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end()
    })
  }
}

/** Where clients reach the server: as configured, else where it listens. */
export function resourceOf({ resource }: Pick<Guard, 'resource'>, url: string): string {
  return resource === undefined || resource === url ? `${url}/mcp` : resource
}
