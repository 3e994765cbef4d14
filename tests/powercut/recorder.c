/* Record every change of the files below a folder: LD_PRELOAD this library into the programs that make them.
 *
 * POWERCUT_ROOT is the folder, POWERCUT_LOG the file that the records are appended to, POWERCUT_LOCK a file of 8 zero
 * bytes that all recorded processes share. A call and its record happen under one lock, so the order of the records is
 * the order of the changes. Syncing calls are recorded and not made: nothing here needs to reach a real disk.
 * recorder.py describes the records.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum operation { CREATE = 1, WRITE, TRUNCATE, RENAME, LINK, UNLINK, SYNC, MAPPED, MKDIR, UNKNOWN };

struct record {
    uint32_t operation, path, path2, flags;
    uint64_t inode, offset, length;
};

static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static atomic_int *lock_word;
static __thread char site[1024];

void powercut_site(const char *name) { snprintf(site, sizeof site, "%s", name); }

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("POWERCUT_ROOT"), *log = getenv("POWERCUT_LOG"), *lock = getenv("POWERCUT_LOCK");
    if (!folder || !log || !lock || !realpath(folder, root)) return;
    root_length = strlen(root);
    int fd = syscall(SYS_openat, AT_FDCWD, lock, O_RDWR | O_CLOEXEC);
    lock_word = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900); /* programs close or expect low numbers */
    if (log_fd >= 0) syscall(SYS_close, fd);
    else log_fd = fd;
}

/* Signals wait: a handler that ends the process would keep the lock. A killed process loses it. */

static __thread sigset_t blocked;

static void lock(void) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &blocked);
    for (long tries = 1;; tries++) {
        int holder = 0;
        if (atomic_compare_exchange_strong(lock_word, &holder, (int)getpid())) return;
        sched_yield();
        if (tries % 10000 == 0 && kill(holder, 0) && errno == ESRCH) atomic_compare_exchange_strong(lock_word, &holder, 0);
    }
}

static void unlock(void) {
    int saved = errno;
    atomic_store(lock_word, 0);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    errno = saved;
}

static int is_below(const char *path) {
    return root_length && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* The path of a descriptor, if it is below the folder. */
static const char *path_of(int fd, char *path) {
    if (log_fd < 0 || fd < 0 || fd == log_fd) return NULL;
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int saved = errno;
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    errno = saved;
    if (length < 0) return NULL;
    path[length] = 0;
    return is_below(path) ? path : NULL;
}

/* The path that a call names, with its folder resolved but not its last part, if it is below the folder. */
static const char *named(int at, const char *name, char *path) {
    if (log_fd < 0 || !name) return NULL;
    char whole[2 * PATH_MAX], folder[PATH_MAX];
    int saved = errno;
    const char *found = NULL;
    if (name[0] == '/') snprintf(whole, sizeof whole, "%s", name);
    else {
        char link[32];
        ssize_t length;
        if (at == AT_FDCWD) length = getcwd(whole, PATH_MAX) ? (ssize_t)strlen(whole) : -1;
        else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            length = readlink(link, whole, PATH_MAX - 1);
        }
        if (length < 0) goto end;
        snprintf(whole + length, sizeof whole - length, "/%s", name);
    }
    size_t length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/') whole[--length] = 0;
    char *last = strrchr(whole, '/');
    if (!last) goto end;
    *last = 0;
    if (!realpath(*whole ? whole : "/", folder)) goto end;
    snprintf(path, PATH_MAX, "%s/%s", strcmp(folder, "/") ? folder : "", last + 1);
    if (is_below(path)) found = path;
end:
    errno = saved;
    return found;
}

static const char *relative(const char *path) {
    return path[root_length] ? path + root_length + 1 : "";
}

static void record(enum operation operation, uint64_t inode, uint64_t offset, uint64_t length, unsigned flags,
                   const char *path, const char *path2, const void *data, size_t size) {
    int saved = errno;
    path = path ? relative(path) : "", path2 = path2 ? relative(path2) : "";
    struct record head = {operation, strlen(path), strlen(path2), flags, inode, offset, length};
    struct iovec parts[] = {
        {&head, sizeof head}, {(void *)path, head.path}, {(void *)path2, head.path2}, {(void *)data, size}};
    size_t whole = sizeof head + head.path + head.path2 + size;
    if (syscall(SYS_writev, log_fd, parts, 4) != (long)whole) abort(); /* a gap would be a wrong result */
    errno = saved;
}

static uint64_t inode_of(int fd) {
    struct stat state;
    return fstat(fd, &state) ? 0 : state.st_ino;
}

static int is_synced(int fd) { return (fcntl(fd, F_GETFL) & (O_SYNC | O_DSYNC)) != 0; }

/* open and its relatives */

static int opened(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    const char *known = flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE ? named(at, name, path) : NULL;
    if (!known) return syscall(SYS_openat, at, name, flags, mode);
    lock();
    struct stat before;
    int saved = errno, is_new = fstatat(at, name, &before, 0) != 0;
    errno = saved;
    int fd = syscall(SYS_openat, at, name, flags, mode);
    if (fd >= 0) {
        char real[PATH_MAX];
        const char *found = path_of(fd, real);
        if ((flags & O_TMPFILE) == O_TMPFILE) record(CREATE, inode_of(fd), 0, 0, 1, NULL, NULL, NULL, 0);
        else if (is_new && found) record(CREATE, inode_of(fd), 0, 0, 0, found, NULL, NULL, 0);
        else if (flags & O_TRUNC && (flags & O_ACCMODE) != O_RDONLY && before.st_size)
            record(TRUNCATE, inode_of(fd), 0, 0, 0, found, NULL, NULL, 0);
    }
    unlock();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags) return opened(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags) return opened(at, name, flags | O_LARGEFILE, mode); }
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

/* What glibc's headers make of open where they check its arguments. */
int __open_2(const char *name, int flags) { return opened(AT_FDCWD, name, flags, 0); }
int __open64_2(const char *name, int flags) { return opened(AT_FDCWD, name, flags | O_LARGEFILE, 0); }
int __openat_2(int at, const char *name, int flags) { return opened(at, name, flags, 0); }

/* C streams write by calls inside the C library: their files are recorded when they are closed. */

FILE *fopen(const char *name, const char *mode) {
    REAL(fopen);
    char path[PATH_MAX];
    if (!strpbrk(mode, "wa+") || !named(AT_FDCWD, name, path)) return real(name, mode);
    int flags = (strchr(mode, '+') ? O_RDWR : O_WRONLY) | (strchr(mode, 'e') ? O_CLOEXEC : 0);
    if (mode[0] != 'r') flags |= O_CREAT | (mode[0] == 'w' ? O_TRUNC : O_APPEND) | (strchr(mode, 'x') ? O_EXCL : 0);
    int fd = opened(AT_FDCWD, name, flags, 0666);
    return fd < 0 ? NULL : fdopen(fd, mode);
}
FILE *fopen64(const char *name, const char *mode) { return fopen(name, mode); }

int fclose(FILE *stream) {
    REAL(fclose);
    char path[PATH_MAX], link[32];
    int fd = fileno(stream);
    const char *known = fd < 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ? NULL : path_of(fd, path);
    if (!known) return real(stream);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd); /* the descriptor may be unreadable, the file is readable */
    int again = syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
    int done = real(stream);
    struct stat state;
    if (again < 0 || fstat(again, &state)) abort();
    char *data = malloc(state.st_size + 1);
    lock();
    if (pread(again, data, state.st_size, 0) != state.st_size) abort();
    record(WRITE, state.st_ino, 0, state.st_size, 0, known, NULL, data, state.st_size);
    unlock();
    free(data);
    syscall(SYS_close, again);
    return done;
}

/* Writes */

static ssize_t wrote(int fd, const char *path, const struct iovec *parts, int count, off_t offset) {
    lock();
    ssize_t done;
    if (offset >= 0) done = syscall(SYS_pwritev, fd, parts, count, offset, 0);
    else {
        int is_appending = fcntl(fd, F_GETFL) & O_APPEND;
        done = syscall(SYS_writev, fd, parts, count);
        if (done > 0) offset = lseek(fd, 0, SEEK_CUR) - done;
        (void)is_appending; /* the position after an appending write is the end of the file */
    }
    if (done > 0) {
        char *data = malloc(done), *at = data;
        size_t left = done;
        for (int i = 0; i < count && left; i++) {
            size_t part = parts[i].iov_len < left ? parts[i].iov_len : left;
            memcpy(at, parts[i].iov_base, part);
            at += part, left -= part;
        }
        record(WRITE, inode_of(fd), offset, done, is_synced(fd), path, NULL, data, done);
        free(data);
    }
    unlock();
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    const char *known = path_of(fd, path);
    if (!known) return syscall(SYS_write, fd, data, size);
    struct iovec part = {(void *)data, size};
    return wrote(fd, known, &part, 1, -1);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    char path[PATH_MAX];
    const char *known = path_of(fd, path);
    if (!known) return syscall(SYS_pwrite64, fd, data, size, offset);
    struct iovec part = {(void *)data, size};
    return wrote(fd, known, &part, 1, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return pwrite(fd, data, size, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    const char *known = path_of(fd, path);
    return known ? wrote(fd, known, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    char path[PATH_MAX];
    const char *known = path_of(fd, path);
    return known ? wrote(fd, known, parts, count, offset) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev(fd, parts, count, offset); }

/* Copies inside the kernel: refused, so that programs copy by reading and writing. */

ssize_t sendfile(int out, int in, off_t *offset, size_t size) {
    char path[PATH_MAX];
    if (!path_of(out, path)) return syscall(SYS_sendfile, out, in, offset, size);
    errno = ENOTSOCK; /* what Python's shutil answers with a copy by reading and writing */
    return -1;
}
ssize_t sendfile64(int out, int in, off_t *offset, size_t size) { return sendfile(out, in, offset, size); }
ssize_t copy_file_range(int in, off_t *from, int out, off_t *to, size_t size, unsigned flags) {
    char path[PATH_MAX];
    if (!path_of(out, path)) return syscall(SYS_copy_file_range, in, from, out, to, size, flags);
    errno = EXDEV;
    return -1;
}

/* Sizes */

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    const char *known = path_of(fd, path);
    if (!known) return syscall(SYS_ftruncate, fd, size);
    lock();
    int done = syscall(SYS_ftruncate, fd, size);
    if (!done) record(TRUNCATE, inode_of(fd), size, 0, 0, known, NULL, NULL, 0);
    unlock();
    return done;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int truncate(const char *name, off_t size) {
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int done = ftruncate(fd, size), saved = errno;
    syscall(SYS_close, fd);
    errno = saved;
    return done;
}
int truncate64(const char *name, off_t size) { return truncate(name, size); }
int fallocate(int fd, int mode, off_t offset, off_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_fallocate, fd, mode, offset, size);
    errno = EOPNOTSUPP;
    return -1;
}
int fallocate64(int fd, int mode, off_t offset, off_t size) { return fallocate(fd, mode, offset, size); }
int posix_fallocate(int fd, off_t offset, off_t size) {
    struct stat state;
    if (fstat(fd, &state)) return errno;
    return state.st_size >= offset + size || !ftruncate(fd, offset + size) ? 0 : errno;
}
int posix_fallocate64(int fd, off_t offset, off_t size) { return posix_fallocate(fd, offset, size); }

/* Names */

static int renamed(int from, const char *name, int to, const char *name2, unsigned flags) {
    char path[PATH_MAX], path2[PATH_MAX];
    const char *known = named(from, name, path), *known2 = named(to, name2, path2);
    if (!known && !known2) return syscall(SYS_renameat2, from, name, to, name2, flags);
    lock();
    int done = syscall(SYS_renameat2, from, name, to, name2, flags);
    if (!done) {
        if (known && known2 && !(flags & RENAME_EXCHANGE)) record(RENAME, 0, 0, 0, 0, known, known2, NULL, 0);
        else record(UNKNOWN, 0, 0, 0, 0, known ? known : known2, NULL, NULL, 0);
    }
    unlock();
    return done;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from, const char *name, int to, const char *name2) { return renamed(from, name, to, name2, 0); }
int renameat2(int from, const char *name, int to, const char *name2, unsigned flags) {
    return renamed(from, name, to, name2, flags);
}

int linkat(int from, const char *name, int to, const char *name2, int flags) {
    char path2[PATH_MAX];
    const char *known = named(to, name2, path2);
    if (!known) return syscall(SYS_linkat, from, name, to, name2, flags);
    lock();
    int done = syscall(SYS_linkat, from, name, to, name2, flags);
    struct stat state;
    if (!done && !lstat(known, &state)) record(LINK, state.st_ino, 0, 0, 0, NULL, known, NULL, 0);
    unlock();
    return done;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int symlinkat(const char *target, int to, const char *name) {
    char path[PATH_MAX];
    if (named(to, name, path)) record(UNKNOWN, 0, 0, 0, 0, path, NULL, NULL, 0);
    return syscall(SYS_symlinkat, target, to, name);
}
int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }

int unlinkat(int at, const char *name, int flags) {
    char path[PATH_MAX];
    const char *known = named(at, name, path);
    if (!known) return syscall(SYS_unlinkat, at, name, flags);
    lock();
    int done = syscall(SYS_unlinkat, at, name, flags);
    if (!done) record(UNLINK, 0, 0, 0, 0, known, NULL, NULL, 0);
    unlock();
    return done;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) {
    int done = unlink(name);
    return done && errno == EISDIR ? rmdir(name) : done;
}

int mkdirat(int at, const char *name, mode_t mode) {
    char path[PATH_MAX];
    const char *known = named(at, name, path);
    if (!known) return syscall(SYS_mkdirat, at, name, mode);
    lock();
    int done = syscall(SYS_mkdirat, at, name, mode);
    struct stat state;
    if (!done && !lstat(known, &state)) record(MKDIR, state.st_ino, 0, 0, 0, known, NULL, NULL, 0);
    unlock();
    return done;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

/* Syncing */

static int synced(int fd, long call) {
    char path[PATH_MAX];
    const char *known = path_of(fd, path);
    if (!known) return syscall(call, fd);
    lock();
    record(SYNC, inode_of(fd), 0, strlen(site), 0, known, NULL, site, strlen(site));
    unlock();
    return 0;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); } /* it also stores the size, which reading needs */

/* These promise nothing: sync_file_range no metadata, sync no end. Records of them would only weaken the test. */

int sync_file_range(int fd, off_t offset, off_t size, unsigned flags) {
    char path[PATH_MAX];
    return path_of(fd, path) ? 0 : (int)syscall(SYS_sync_file_range, fd, offset, size, flags);
}
void sync(void) {}
int syncfs(int fd) { return synced(fd, SYS_syncfs); }

/* Shared writable maps change files without a call. */

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    char path[PATH_MAX];
    const char *known = flags & MAP_SHARED && protection & PROT_WRITE ? path_of(fd, path) : NULL;
    if (known) record(MAPPED, inode_of(fd), offset, size, 0, known, NULL, NULL, 0);
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}
void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap(address, size, protection, flags, fd, offset);
}
