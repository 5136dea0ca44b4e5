/* Writes and syncs that go wrong, for tests: a SQLite VFS over the default one, through which FAULT_WRITE and FAULT_SYNC pass (base/fault.h).
 *
 * Database, journal and WAL alone; temporary files and memory shared between processes are let alone. Programs without fault points get NULL,
 * which is SQLite's name for its default, and none of this is compiled in. */
#ifndef STORAGE_DB_FAULTS_H
#define STORAGE_DB_FAULTS_H

#include <stdbool.h>

#ifdef FLOWSWEEP_FAULTS
/* The VFS's name for sqlite3_open_v2; registered by the first call. */
const char *db_faults_vfs(void);
/* FLOWSWEEP_TEST_NETWORK_DISK is set: every file system is taken for one that is not local. */
bool db_faults_network_disk(void);
/* FLOWSWEEP_TEST_NO_LOCKS is set: a lock is given to everyone who asks. */
bool db_faults_no_locks(void);
/* FLOWSWEEP_TEST_NO_SYNC is set: nothing waits for the disk. For bench/durability alone. */
bool db_faults_no_sync(void);
#else
static inline const char *db_faults_vfs(void)
{
    return 0;
}
static inline bool db_faults_network_disk(void)
{
    return false;
}
static inline bool db_faults_no_locks(void)
{
    return false;
}
static inline bool db_faults_no_sync(void)
{
    return false;
}
#endif

#endif
