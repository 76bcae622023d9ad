/* SPDX-License-Identifier: MIT */
/*
 * newlib (LIBC=newlib): the few system calls that its stdio makes. There are no files: 0, 1 and 2
 * are one terminal that takes lines and never has anything to read. Only what prints to them links
 * these. Source: newlib 4.5.0, libc/sys.tex ("System Calls") and sys/unistd.h.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/x86_64/x86_priv.h"

const char x86_libc_name[] = "newlib " _NEWLIB_VERSION;

_READ_WRITE_RETURN_TYPE write(int fd, const void *data, size_t n)
{
    const char *p = data;
    (void)fd;
    for (size_t i = 0; i < n; i++) {
        x86_libc_put_char(p[i]);
    }
    return (_READ_WRITE_RETURN_TYPE)n;
}

_READ_WRITE_RETURN_TYPE read(int fd, void *data, size_t n)
{
    (void)fd, (void)data, (void)n;
    return 0; /* the end of the file */
}

/* A terminal, so that stdio hands over line by line. */
int isatty(int fd) { return fd >= STDIN_FILENO && fd <= STDERR_FILENO; }

int fstat(int fd, struct stat *status)
{
    (void)fd;
    *status = (struct stat){.st_mode = S_IFCHR};
    return 0;
}

off_t lseek(int fd, off_t offset, int whence)
{
    (void)fd, (void)offset, (void)whence;
    errno = ESPIPE;
    return -1;
}

int close(int fd)
{
    (void)fd;
    errno = EBADF;
    return -1;
}
