// Applies the migrations to the database of its first argument and prints how many it applied.
import { silentLogger } from '@endcap/platform/logging'
import { connectPostgres } from '@endcap/platform/postgres'
import { migratePostgres } from '../postgres/migrate.js'

const postgres = connectPostgres({ url: process.argv[2]!, applicationName: 'racer', logger: silentLogger() })
const applied = await migratePostgres(postgres)
await postgres.close()
console.log(applied.length)
