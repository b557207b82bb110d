export * from '../../convex/runs.ts'
