/* Outcomes of functions.
 *
 * A function that can fail returns an enum status and takes a trailing struct error *, which receives the
 * code and one line of text for people (control characters written out): what, where, and what was expected. Libraries never print and never
 * exit; only cli/ turns an error into text on stderr and an exit code of sysexits.h (status_exit_code). */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

/* X(name, exit code, what it means) */
#define STATUS_LIST(X)                                                                                       \
    X(OK, 0, "success")                                                                                      \
    X(TRIALS_FAILED, 1, "finished, but trials failed")                                                       \
    X(USAGE, 64, "wrong command line")                                                                       \
    X(DATA, 65, "bad input data")                                                                            \
    X(NO_INPUT, 66, "no such input")                                                                         \
    X(BUG, 70, "a bug in flowsweep")                                                                         \
    X(MEMORY, 71, "out of memory or of another resource of the system")                                      \
    X(CANNOT_CREATE, 73, "cannot create output")                                                             \
    X(IO, 74, "input or output failed, or the database cannot be used")                                      \
    X(STOPPED, 75, "stopped early with work left, run again to go on")                                       \
    X(CONFIG, 78, "bad configuration, or another study's database")

enum status {
#define X(name, code, text) STATUS_##name,
    STATUS_LIST(X)
#undef X
};

struct error {
    enum status code;
    char message[1024];
};

/* Exit code of a status, as in sysexits.h. */
int status_exit_code(enum status s);

/* Sets *e (which may be NULL) and returns s, so that a caller writes: return error_set(e, STATUS_DATA, ..). */
enum status error_set(struct error *e, enum status s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message of e, e.g. the file that was being read. Returns e->code. */
enum status error_prefix(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Leaves the function with the status of a call that did not succeed; only where nothing is owned. */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        enum status try_status_ = (call);                                                                    \
        if (try_status_ != STATUS_OK)                                                                        \
            return try_status_;                                                                              \
    } while (0)

#endif
