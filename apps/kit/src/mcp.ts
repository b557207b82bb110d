export { mcpRoutes, resourceOf } from './mcp/mcp-routes.ts'
export { reportCalls } from './mcp/report-calls.ts'
export {
  type RunningStdio,
  type StdioStreams,
  serveStdio,
  stdioEnvironment,
  stdioLogger,
  toStdioToken,
} from './mcp/stdio.ts'
