#include "storage/db_faults.h"

#ifdef FLOWSWEEP_FAULTS

#include <sqlite3.h>
#include <stdlib.h>

#include "base/fault.h"

/* What SQLite holds is this; the default VFS's own file follows it in the same memory. */
struct file {
    sqlite3_file base;
    sqlite3_io_methods methods; /* the real ones' version, and ours in front of them */
    sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

/* --- what can go wrong --- */

static int write_to(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(f);
    switch (fault_at(FAULT_WRITE)) {
    case FAULT_ACTION_SHORT:
        real->pMethods->xWrite(real, bytes, n / 2, at);
        return SQLITE_IOERR_WRITE;
    case FAULT_ACTION_FAIL:
        return SQLITE_IOERR_WRITE;
    case FAULT_ACTION_FULL:
        return SQLITE_FULL;
    default:
        return real->pMethods->xWrite(real, bytes, n, at);
    }
}

static int truncate_to(sqlite3_file *f, sqlite3_int64 size)
{
    sqlite3_file *real = real_of(f);
    enum fault_action action = fault_at(FAULT_WRITE);
    if (action == FAULT_ACTION_SHORT || action == FAULT_ACTION_FAIL || action == FAULT_ACTION_FULL)
        return SQLITE_IOERR_TRUNCATE;
    return real->pMethods->xTruncate(real, size);
}

static int sync_it(sqlite3_file *f, int flags)
{
    sqlite3_file *real = real_of(f);
    enum fault_action action = fault_at(FAULT_SYNC);
    if (action == FAULT_ACTION_SHORT || action == FAULT_ACTION_FAIL || action == FAULT_ACTION_FULL)
        return SQLITE_IOERR_FSYNC;
    return real->pMethods->xSync(real, flags);
}

/* --- the rest is handed on --- */

#define HAND_ON(name, parameters, arguments)                                                                 \
    static int name##_on parameters                                                                          \
    {                                                                                                        \
        sqlite3_file *real = real_of(f);                                                                     \
        return real->pMethods->name arguments;                                                               \
    }
HAND_ON(xRead, (sqlite3_file *f, void *out, int n, sqlite3_int64 at), (real, out, n, at))
HAND_ON(xFileSize, (sqlite3_file *f, sqlite3_int64 *size), (real, size))
HAND_ON(xLock, (sqlite3_file *f, int level), (real, level))
HAND_ON(xUnlock, (sqlite3_file *f, int level), (real, level))
HAND_ON(xCheckReservedLock, (sqlite3_file *f, int *held), (real, held))
HAND_ON(xFileControl, (sqlite3_file *f, int op, void *arg), (real, op, arg))
HAND_ON(xSectorSize, (sqlite3_file *f), (real))
HAND_ON(xDeviceCharacteristics, (sqlite3_file *f), (real))
HAND_ON(xShmMap, (sqlite3_file *f, int region, int size, int extend, void volatile **out), (real, region, size, extend, out))
HAND_ON(xShmLock, (sqlite3_file *f, int at, int n, int flags), (real, at, n, flags))
HAND_ON(xShmUnmap, (sqlite3_file *f, int erase), (real, erase))
HAND_ON(xFetch, (sqlite3_file *f, sqlite3_int64 at, int n, void **out), (real, at, n, out))
HAND_ON(xUnfetch, (sqlite3_file *f, sqlite3_int64 at, void *page), (real, at, page))

static void barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int close_it(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static sqlite3_io_methods methods_over(const sqlite3_io_methods *real)
{
    return (sqlite3_io_methods){.iVersion = real->iVersion, .xClose = close_it, .xRead = xRead_on, .xWrite = write_to, .xTruncate = truncate_to,
                                .xSync = sync_it, .xFileSize = xFileSize_on, .xLock = xLock_on, .xUnlock = xUnlock_on,
                                .xCheckReservedLock = xCheckReservedLock_on, .xFileControl = xFileControl_on, .xSectorSize = xSectorSize_on,
                                .xDeviceCharacteristics = xDeviceCharacteristics_on, .xShmMap = xShmMap_on, .xShmLock = xShmLock_on,
                                .xShmBarrier = barrier, .xShmUnmap = xShmUnmap_on, .xFetch = xFetch_on, .xUnfetch = xUnfetch_on};
}

static int open_it(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    struct file *file = (struct file *)f;
    sqlite3_vfs *real_vfs = vfs->pAppData;
    if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)))
        return real_vfs->xOpen(real_vfs, name, f, flags, out_flags);
    file->real = (sqlite3_file *)(file + 1);
    int code = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
    file->base.pMethods = NULL;
    if (file->real->pMethods) {
        file->methods = methods_over(file->real->pMethods);
        file->base.pMethods = &file->methods;
    }
    return code;
}

bool db_faults_network_disk(void)
{
    return getenv("FLOWSWEEP_TEST_NETWORK_DISK") != NULL;
}

bool db_faults_no_locks(void)
{
    return getenv("FLOWSWEEP_TEST_NO_LOCKS") != NULL;
}

bool db_faults_no_sync(void)
{
    return getenv("FLOWSWEEP_TEST_NO_SYNC") != NULL;
}

const char *db_faults_vfs(void)
{
    static sqlite3_vfs vfs; /* SQLite keeps it for as long as the process lives */
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    if (!vfs.zName && real) {
        vfs = *real;
        vfs.zName = "flowsweep-faults";
        vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
        vfs.pAppData = real;
        vfs.pNext = NULL;
        vfs.xOpen = open_it;
        sqlite3_vfs_register(&vfs, 0);
    }
    return vfs.zName;
}

#endif
