import { memoryRunnerStore } from '../src/runner/index.ts'
import { describeRunnerStore } from './runner-store-suite.ts'

describeRunnerStore('memory', memoryRunnerStore)
