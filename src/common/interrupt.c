/*
 * What Ctrl-C, or the SIGTERM of a job's time limit, does to a process whose main thread may compute for minutes
 * without looking at JavaScript's events: one sentence, what was being written is removed, exit code 130 or 143. Compiled at run time by interrupt.ts. A signal
 * may come at any moment, so the handler calls only what POSIX allows there. No headers: none may be installed.
 */
typedef unsigned long size;
extern long write(int descriptor, const void *bytes, size count);
extern void _exit(int code);
extern int vfork(void);
extern int execv(const char *path, char *const arguments[]);
extern int waitpid(int process, int *status, int options);
extern int kill(int process, int number);
extern void *signal(int number, void (*handler)(int));
extern char *strdup(const char *text);
extern size strlen(const char *text);

#define interrupt 2
#define termination 15
#define certainDeath 9
#define ignored ((void (*)(int))1)
#define most 256

static const char *sentence = "";
static char *volatile paths[most];
static volatile int processes[most];

static void end(int number) {
  static char *arguments[most + 4] = {"rm", "-rf", "--"};
  int count = 3;
  signal(number, ignored);
  write(2, sentence, strlen(sentence));
  for (int i = 0; i < most; i++) {
    if (processes[i] != 0) kill(processes[i], certainDeath);
    if (paths[i] != 0) arguments[count++] = paths[i];
  }
  if (count > 3) {
    int child = vfork();
    if (child == 0) {
      execv("/bin/rm", arguments);
      _exit(1);
    }
    if (child > 0) waitpid(child, 0, 0);
  }
  _exit(128 + number);
}

/* Takes the signals from whoever has them. */
void watch(const char *text) {
  sentence = strdup(text);
  signal(interrupt, end);
  signal(termination, end);
}

/* A slot that holds the path until `release`; -1 where all are taken. The few bytes of a path are never freed. */
int holdPath(const char *path) {
  for (int i = 0; i < most; i++) {
    if (paths[i] != 0) continue;
    paths[i] = strdup(path);
    return i;
  }
  return -1;
}

int holdProcess(int process) {
  for (int i = 0; i < most; i++) {
    if (processes[i] != 0) continue;
    processes[i] = process;
    return i;
  }
  return -1;
}

void releasePath(int slot) { paths[slot] = 0; }

void releaseProcess(int slot) { processes[slot] = 0; }
