/*
 * What a power cut would leave of a node's files. Preloaded into a node (LD_PRELOAD), it keeps beside the node's data:
 *
 *   cut/shadow/<inode>  the bytes of each file as of its last fsync or fdatasync that has returned (or O_DSYNC write)
 *   cut/trash/<inode>   a second name for each file whose name was taken away, since a name's end may not be durable either
 *   cut/journal         P                      a process began
 *                       T <tree> <count>       all names below the data, as they are now; <count> lines follow:
 *                         <d|f> <inode> <path>
 *                       S <tree> <inode> <path>   that file was synced; what <tree> names was there before that began
 *                       D <tree> <path>           that directory was synced
 *
 * The kernel keeps what it holds when a process is killed, so that all of this survives SIGKILL. It is active in a process with
 * `--config FILE` on its command line whose folder has a folder `cut`; paths are below that folder. LevelDB writes with stdio,
 * whose own calls can't be intercepted; but every sync can be, and then the file itself tells what it holds.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE_BYTES 65536

static char home[PATH_MAX];
static size_t home_length;
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long tree;
static uint64_t tree_hash;

struct text {
  char *bytes;
  size_t length, room;
};

static void add(struct text *text, const char *bytes, size_t length) {
  if (text->length + length > text->room) {
    text->room = (text->length + length) * 2;
    text->bytes = realloc(text->bytes, text->room);
    if (text->bytes == NULL) abort();
  }
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
}

static void write_all(int file, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(file, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) abort();
    bytes += written;
    length -= (size_t)written;
  }
}

/* A path below the data, or the audit log; relative to the node's folder. NULL for all others. */
static const char *tracked(const char *path) {
  if (strncmp(path, home, home_length) != 0 || path[home_length] != '/') return NULL;
  const char *below = path + home_length + 1;
  if (strcmp(below, "data") == 0 || strncmp(below, "data/", 5) == 0 || strcmp(below, "audit.log") == 0) return below;
  return NULL;
}

static const char *tracked_fd(int file, char path[PATH_MAX]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return NULL;
  path[length] = '\0';
  return tracked(path);
}

static void add_entry(struct text *text, char kind, const struct stat *stat, const char *path) {
  char line[PATH_MAX + 64];
  int length = snprintf(line, sizeof line, "%c %lu %s\n", kind, (unsigned long)stat->st_ino, path);
  add(text, line, (size_t)length);
}

static unsigned long walk(struct text *text, const char *below) {
  char path[PATH_MAX * 2];
  snprintf(path, sizeof path, "%s/%s", home, below);
  DIR *directory = opendir(path);
  if (directory == NULL) return 0;
  unsigned long count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    struct stat stat;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(dirfd(directory), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0) continue;
    snprintf(path, sizeof path, "%s/%s", below, entry->d_name);
    add_entry(text, S_ISDIR(stat.st_mode) ? 'd' : 'f', &stat, path);
    count += 1 + (S_ISDIR(stat.st_mode) ? walk(text, path) : 0);
  }
  closedir(directory);
  return count;
}

/* Journals all names unless they are the same as last time. With the lock, which keeps renames and unlinks away. */
static unsigned long names_now(void) {
  struct text text = {0};
  struct stat stat;
  char audit[PATH_MAX + 16];
  unsigned long count = walk(&text, "data");
  snprintf(audit, sizeof audit, "%s/audit.log", home);
  if (lstat(audit, &stat) == 0) {
    add_entry(&text, 'f', &stat, "audit.log");
    count++;
  }
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (size_t i = 0; i < text.length; i++) hash = (hash ^ (unsigned char)text.bytes[i]) * 1099511628211u;
  if (tree == 0 || hash != tree_hash) {
    char head[64];
    int length = snprintf(head, sizeof head, "T %lu %lu\n", ++tree, count);
    struct text record = {0};
    add(&record, head, (size_t)length);
    add(&record, text.bytes, text.length);
    write_all(journal, record.bytes, record.length);
    free(record.bytes);
    tree_hash = hash;
  }
  free(text.bytes);
  return tree;
}

static void copy(int from, int to, off_t at, off_t until) {
  char bytes[SMALL_FILE_BYTES];
  while (at < until) {
    size_t wanted = (size_t)(until - at) < sizeof bytes ? (size_t)(until - at) : sizeof bytes;
    ssize_t length = pread(from, bytes, wanted, at);
    if (length <= 0) return;
    if (lseek(to, at, SEEK_SET) != at) abort();
    write_all(to, bytes, (size_t)length);
    at += length;
  }
}

/* Brings a file's shadow up to the size that it had when its sync began. Small files may have been written in place. */
static void shadow(int file, const struct stat *stat) {
  char path[PATH_MAX + 64];
  struct stat before;
  snprintf(path, sizeof path, "%s/cut/shadow/%lu", home, (unsigned long)stat->st_ino);
  int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  int from = open(path, O_RDONLY | O_CLOEXEC);
  if (to < 0 || from < 0 || fstat(to, &before) != 0) abort();
  off_t size = stat->st_size;
  copy(from, to, size <= SMALL_FILE_BYTES || before.st_size > size ? 0 : before.st_size, size);
  if (before.st_size > size && ftruncate(to, size) != 0) abort();
  close(from);
  close(to);
}

static void note(char kind, unsigned long names, const struct stat *stat, const char *path) {
  char line[PATH_MAX + 96];
  int length = kind == 'D' ? snprintf(line, sizeof line, "D %lu %s\n", names, path)
                           : snprintf(line, sizeof line, "S %lu %lu %s\n", names, (unsigned long)stat->st_ino, path);
  write_all(journal, line, (size_t)length);
}

static int synced(int file, int (*real)(int)) {
  char path[PATH_MAX];
  struct stat stat;
  const char *below = journal < 0 ? NULL : tracked_fd(file, path);
  if (below == NULL || fstat(file, &stat) != 0) return real == NULL ? 0 : real(file);
  pthread_mutex_lock(&lock);
  unsigned long names = names_now();
  pthread_mutex_unlock(&lock);
  int result = real == NULL ? 0 : real(file);
  if (result != 0) return result;
  pthread_mutex_lock(&lock);
  if (!S_ISDIR(stat.st_mode)) shadow(file, &stat);
  note(S_ISDIR(stat.st_mode) ? 'D' : 'S', names, &stat, below);
  pthread_mutex_unlock(&lock);
  return 0;
}

/* Before a name is taken from a file. With the lock. */
static void keep(const char *path) {
  struct stat stat;
  char kept[PATH_MAX + 64];
  if (lstat(path, &stat) != 0 || !S_ISREG(stat.st_mode)) return;
  snprintf(kept, sizeof kept, "%s/cut/trash/%lu", home, (unsigned long)stat.st_ino);
  if (link(path, kept) != 0 && errno != EEXIST) abort();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int file) { return synced(file, REAL(fsync)); }
int fdatasync(int file) { return synced(file, REAL(fdatasync)); }

static int is_synced_at_once(int file) { return journal >= 0 && (fcntl(file, F_GETFL) & O_DSYNC) != 0; }

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
  ssize_t written = REAL(pwrite64)(file, bytes, length, at);
  if (written >= 0 && is_synced_at_once(file)) synced(file, NULL);
  return written;
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
  ssize_t written = REAL(pwrite)(file, bytes, length, at);
  if (written >= 0 && is_synced_at_once(file)) synced(file, NULL);
  return written;
}

#define GUARDED(call, ...)                                  \
  do {                                                      \
    const char *gone[] = {__VA_ARGS__};                     \
    int isTracked = 0;                                      \
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) \
      isTracked |= journal >= 0 && tracked(gone[i]) != NULL; \
    if (!isTracked) return call;                            \
    pthread_mutex_lock(&lock);                              \
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) \
      if (tracked(gone[i]) != NULL) keep(gone[i]);          \
    int result = call;                                      \
    pthread_mutex_unlock(&lock);                            \
    return result;                                          \
  } while (0)

int unlink(const char *path) { GUARDED(REAL(unlink)(path), path); }
int remove(const char *path) { GUARDED(REAL(remove)(path), path); }
int rename(const char *from, const char *to) { GUARDED(REAL(rename)(from, to), to); }

int unlinkat(int directory, const char *name, int flags) {
  char path[PATH_MAX * 2], folder[PATH_MAX];
  if (name[0] == '/' || directory == AT_FDCWD || (journal >= 0 && tracked_fd(directory, folder) == NULL))
    GUARDED(REAL(unlinkat)(directory, name, flags), name);
  snprintf(path, sizeof path, "%s/%s", journal < 0 ? "" : folder, name);
  GUARDED(REAL(unlinkat)(directory, name, flags), path);
}

__attribute__((constructor)) static void begin(void) {
  char line[65536], path[PATH_MAX + 64];
  int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? 0 : read(file, line, sizeof line - 1);
  if (file >= 0) close(file);
  if (length <= 0) return;
  line[length] = '\0';
  for (char *word = line; word < line + length; word += strlen(word) + 1) {
    char *next = word + strlen(word) + 1;
    if (strcmp(word, "--config") != 0 || next >= line + length || realpath(next, home) == NULL) continue;
    char *slash = strrchr(home, '/');
    if (slash == NULL || slash == home) return;
    *slash = '\0';
    home_length = strlen(home);
    snprintf(path, sizeof path, "%s/cut/journal", home);
    journal = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal >= 0) write_all(journal, "P\n", 2);
    return;
  }
}
