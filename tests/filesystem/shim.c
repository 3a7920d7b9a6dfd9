/* Makes system calls on files below SHIM_ROOT fail, as file systems do that lack something, or lie.

   gcc -shared -fPIC -Wno-nonnull-compare -o shim.so shim.c -ldl; LD_PRELOAD=shim.so SHIM_ROOT=/folder SHIM=FAULT[=NUMBER][,...] program

   Both variables are read at each call; a SHIM that is a path names a file with the faults, which may change. FAULT is one of those that `on` is asked for below; NUMBER is the error, or as
   said there. Children inherit it through the environment. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ({ static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); real; })
#define FAIL(number) do { errno = (number); return -1; } while (0)

/* The faults: SHIM, or what is in the file that it names. */
static const char *faults(char *content, size_t size) {
    const char *named = getenv("SHIM");
    if (!named || *named != '/') return named;
    int before = errno, fd = REAL(open)(named, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, content, size - 1);
    if (fd >= 0) close(fd);
    errno = before;
    content[length < 0 ? 0 : length] = 0;
    return content;
}

/* The number of a fault, `otherwise` if it has none; 0 if the fault is off. */
static long on(const char *fault, long otherwise) {
    char content[256];
    const char *found = faults(content, sizeof content);
    size_t length = strlen(fault);
    for (; found && (found = strstr(found, fault)); found += length) {
        if (found[length] == '=') return atol(found + length + 1);
        if (found[length] == ',' || !found[length]) return otherwise;
    }
    return 0;
}

static int below(const char *path) {
    const char *root = getenv("SHIM_ROOT");
    return root && path && !strncmp(path, root, strlen(root));
}

/* Whether a path, absolute or relative to a folder that is open, is below the root. */
static int below_at(int folder, const char *path) {
    char name[64], place[PATH_MAX];
    if (!path || *path == '/' || !getenv("SHIM_ROOT")) return below(path);
    if (folder == AT_FDCWD) return getcwd(place, sizeof place) && below(place);
    snprintf(name, sizeof name, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(name, place, sizeof place - 1);
    if (length < 0) return 0;
    place[length] = 0;
    return below(place);
}

static int open_below(int fd) { return below_at(fd, ""); }

static int is_folder(int fd) { struct stat s; return !REAL(fstat)(fd, &s) && S_ISDIR(s.st_mode); }

/* Every n-th call of the kind fails. */
static int stale(void) {
    static atomic_long calls;
    long n = on("stale", 7);
    return n && ++calls % n == 0;
}

static double age(const char *path) {
    struct stat s;
    struct timespec now;
    if (REAL(lstat)(path, &s)) return 1e9;
    clock_gettime(CLOCK_REALTIME, &now);
    return (now.tv_sec - s.st_ctim.tv_sec) + (now.tv_nsec - s.st_ctim.tv_nsec) / 1e9;
}

/* Names of files that were renamed by this process to a name for which the folder has not been read since. */
static char unseen[64][PATH_MAX];
static atomic_int unseen_next;
static void hide(const char *path) { if (on("unseen", 1)) snprintf(unseen[unseen_next++ % 64], PATH_MAX, "%s", path); }
static int is_unseen(const char *path) {
    for (int i = 0; on("unseen", 1) && i < 64; i++) if (!strcmp(unseen[i], path)) return 1;
    return 0;
}
static void reveal(const char *folder) {
    for (int i = 0; i < 64; i++) {
        const char *slash = strrchr(unseen[i], '/');
        if (slash && strlen(folder) == (size_t)(slash - unseen[i]) && !strncmp(unseen[i], folder, slash - unseen[i]))
            unseen[i][0] = 0;
    }
}

static int refused_open(int folder, const char *path, int flags) {
    long number;
    if (!below_at(folder, path)) return 0;
    if (stale()) return ESTALE;
    if (is_unseen(path) && !(flags & O_CREAT)) return ENOENT;
    if (flags & O_CREAT && (number = on("noinodes", ENOSPC)) && REAL(faccessat)(folder, path, F_OK, 0)) return number;
    if (flags & O_EXCL && (number = on("noexcl", ENOTSUP))) return number;
    if (flags & O_APPEND && (number = on("noappend", EINVAL))) return number;
    if (flags & O_CREAT && (number = on("readonly", EROFS))) return number;
    return 0;
}

#define OPENER(name, parameters, folder, arguments)                                 \
    int name parameters {                                                           \
        mode_t mode = 0;                                                            \
        if (flags & (O_CREAT | O_TMPFILE)) {                                        \
            va_list more;                                                           \
            va_start(more, flags);                                                  \
            mode = va_arg(more, int);                                               \
            va_end(more);                                                           \
        }                                                                           \
        int number = refused_open(folder, path, flags);                             \
        if (number) FAIL(number);                                                   \
        return REAL(name) arguments;                                                \
    }
OPENER(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPENER(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPENER(openat, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode))
OPENER(openat64, (int folder, const char *path, int flags, ...), folder, (folder, path, flags, mode))

#define STATTER(name, type)                                                         \
    int name(const char *path, struct type *s) {                                    \
        if (below_at(AT_FDCWD, path) && stale()) FAIL(ESTALE);                      \
        if (below_at(AT_FDCWD, path) && is_unseen(path)) FAIL(ENOENT);              \
        return REAL(name)(path, s);                                                 \
    }
STATTER(stat, stat)
STATTER(stat64, stat64)
STATTER(lstat, stat)
STATTER(lstat64, stat64)

DIR *opendir(const char *path) {
    if (below_at(AT_FDCWD, path)) reveal(path);
    return REAL(opendir)(path);
}

#define READER(name, type)                                                          \
    struct type *name(DIR *folder) {                                                \
        char path[PATH_MAX + 300], link[64];                                        \
        struct type *found;                                                         \
        long hidden = on("hidden", 2);                                              \
        while ((found = REAL(name)(folder)) && hidden && open_below(dirfd(folder))) { \
            snprintf(link, sizeof link, "/proc/self/fd/%d/", dirfd(folder));        \
            snprintf(path, sizeof path, "%s%s", link, found->d_name);               \
            if (*found->d_name == '.' || found->d_type == DT_DIR || age(path) > hidden) break; \
        }                                                                           \
        return found;                                                               \
    }
READER(readdir, dirent)
READER(readdir64, dirent64)

int flock(int fd, int kind) { long n = on("noflock", ENOLCK); if (n && open_below(fd)) FAIL(n); return REAL(flock)(fd, kind); }
int fcntl(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    long n = command == F_SETLK || command == F_SETLKW ? on("nofcntl", ENOLCK) : 0;
    if (n && open_below(fd)) FAIL(n);
    return REAL(fcntl)(fd, command, argument);
}
static int refused_fsync(int fd) {
    if (!open_below(fd)) return 0;
    return is_folder(fd) ? on("nodirsync", EINVAL) : on("nofsync", EINVAL);
}
/* Nothing below need outlive a power cut. */
int fsync(int fd) { int n = refused_fsync(fd); if (n) FAIL(n); return open_below(fd) ? 0 : REAL(fsync)(fd); }
int fdatasync(int fd) { int n = refused_fsync(fd); if (n) FAIL(n); return open_below(fd) ? 0 : REAL(fdatasync)(fd); }
int chmod(const char *p, mode_t m) { long n = on("nochmod", EPERM); if (n && below_at(AT_FDCWD, p)) FAIL(n); return REAL(chmod)(p, m); }
int fchmod(int fd, mode_t m) { long n = on("nochmod", EPERM); if (n && open_below(fd)) FAIL(n); return REAL(fchmod)(fd, m); }
int fchmodat(int d, const char *p, mode_t m, int f) { long n = on("nochmod", EPERM); if (n && below_at(d, p)) FAIL(n); return REAL(fchmodat)(d, p, m, f); }
int link(const char *a, const char *b) { long n = on("nolink", EPERM); if (n && below_at(AT_FDCWD, b)) FAIL(n); return REAL(link)(a, b); }
int linkat(int c, const char *a, int d, const char *b, int f) { long n = on("nolink", EPERM); if (n && below_at(d, b)) FAIL(n); return REAL(linkat)(c, a, d, b, f); }
int symlink(const char *a, const char *b) { long n = on("nosymlink", EPERM); if (n && below_at(AT_FDCWD, b)) FAIL(n); return REAL(symlink)(a, b); }
int symlinkat(const char *a, int d, const char *b) { long n = on("nosymlink", EPERM); if (n && below_at(d, b)) FAIL(n); return REAL(symlinkat)(a, d, b); }
int utimensat(int d, const char *p, const struct timespec t[2], int f) {
    long n = on("noutime", EPERM);
    if (n && (p ? below_at(d, p) : open_below(d))) FAIL(n);
    return REAL(utimensat)(d, p, t, f);
}
int futimens(int fd, const struct timespec t[2]) { long n = on("noutime", EPERM); if (n && open_below(fd)) FAIL(n); return REAL(futimens)(fd, t); }
int utimes(const char *p, const struct timeval t[2]) { long n = on("noutime", EPERM); if (n && below_at(AT_FDCWD, p)) FAIL(n); return REAL(utimes)(p, t); }
int mkdir(const char *p, mode_t m) { long n = on("noinodes", ENOSPC); if (n && below_at(AT_FDCWD, p)) FAIL(n); return REAL(mkdir)(p, m); }

/* renamefails: every other rename fails; renamelost: it succeeds, and says that there was nothing to rename;
   norenameover: a file that exists is not replaced. */
static int renamed(int c, const char *a, int d, const char *b) {
    static atomic_long calls;
    long n;
    if (!below_at(d, b)) return REAL(renameat)(c, a, d, b);
    long odd = ++calls % 2;
    if (odd && (n = on("renamefails", EBUSY))) FAIL(n);
    if (on("norenameover", EEXIST) && !REAL(faccessat)(d, b, F_OK, 0)) FAIL(EEXIST);
    int code = REAL(renameat)(c, a, d, b);
    struct stat s;
    if (!code && !REAL(lstat)(b, &s) && S_ISREG(s.st_mode)) hide(b);
    if (!code && odd && on("renamelost", ENOENT)) FAIL(ENOENT);
    return code;
}
int rename(const char *a, const char *b) { return renamed(AT_FDCWD, a, AT_FDCWD, b); }
int renameat(int c, const char *a, int d, const char *b) { return renamed(c, a, d, b); }

/* quota: bytes that may still be written, all files together. */
static long taken;
static int over_quota(int fd, size_t bytes) {
    long quota = on("quota", 1);
    if (!quota) return taken = 0;
    return open_below(fd) && (taken += bytes) > quota;
}
ssize_t write(int fd, const void *b, size_t n) { if (over_quota(fd, n)) FAIL(EDQUOT); return REAL(write)(fd, b, n); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { if (over_quota(fd, n)) FAIL(EDQUOT); return REAL(pwrite64)(fd, b, n, o); }
ssize_t writev(int fd, const struct iovec *v, int n) { if (over_quota(fd, 1 << 16)) FAIL(EDQUOT); return REAL(writev)(fd, v, n); }
ssize_t sendfile64(int out, int in, off64_t *o, size_t n) { if (over_quota(out, 1 << 12)) FAIL(EDQUOT); return REAL(sendfile64)(out, in, o, n); }

static int refused_mmap(int fd) { long n = fd >= 0 ? on("nommap", ENODEV) : 0; return n && open_below(fd) ? n : 0; }
void *mmap(void *a, size_t l, int p, int f, int fd, off_t o) {
    int n = refused_mmap(fd);
    if (n) { errno = n; return MAP_FAILED; }
    return REAL(mmap)(a, l, p, f, fd, o);
}
void *mmap64(void *a, size_t l, int p, int f, int fd, off64_t o) {
    int n = refused_mmap(fd);
    if (n) { errno = n; return MAP_FAILED; }
    return REAL(mmap64)(a, l, p, f, fd, o);
}
int bind(int fd, const struct sockaddr *a, socklen_t l) {
    long n = a->sa_family == AF_UNIX ? on("nosocket", EOPNOTSUPP) : 0;
    if (n && below(((const struct sockaddr_un *)a)->sun_path)) FAIL(n);
    return REAL(bind)(fd, a, l);
}
#define COUNTER(name, type)                                                         \
    int name(const char *path, struct type *s) {                                    \
        int code = REAL(name)(path, s);                                             \
        if (!code && on("noinodes", 1) && below_at(AT_FDCWD, path)) { s->f_files = 1000; s->f_favail = s->f_ffree = 0; } \
        return code;                                                                \
    }
COUNTER(statvfs, statvfs)
COUNTER(statvfs64, statvfs64)
