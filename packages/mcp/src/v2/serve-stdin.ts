import type { Core } from '../core/core.ts'
import type { GuardedStdio, StdioOptions } from '../options.ts'
import type { Factory } from './prepare.ts'
export declare function serveStdin(core: Core, factory: Factory, options: StdioOptions): Promise<GuardedStdio>
