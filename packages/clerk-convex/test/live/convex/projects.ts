export * from '../../convex/projects.ts'
