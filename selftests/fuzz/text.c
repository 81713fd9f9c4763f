// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs as text:
 *
 *	program 1			its worker
 *	create A0 fd=D0 at=S0+0x40 size=0x70 ...
 *	thread
 *	fill at=M0+0x21000 times=0x10 ...
 *	end				of what the thread does
 *
 * An argument is a constant, a variable (a letter and a digit), or the sum of
 * both. What is read may have lost lines: a block that has no end ends with the
 * program.
 */
#include <stdlib.h>
#include <string.h>

#include "op.h"

#define FZ_BLANK	"\n "

static bool fz_is_block(const struct fz_op *op)
{
	return fz_calls[op->call].kind >= FZ_FORK;
}

static size_t fz_print_value(char *buf, size_t size, const struct fz_value *v)
{
	if (!v->class)
		return snprintf(buf, size, "0x%llx", (unsigned long long)v->add);
	if (!v->add)
		return snprintf(buf, size, "%c%u", v->class, v->index);
	return snprintf(buf, size, "%c%u+0x%llx", v->class, v->index,
			(unsigned long long)v->add);
}

static size_t fz_print_op(char *buf, size_t size, const struct fz_op *op)
{
	const struct fz_call *call = &fz_calls[op->call];
	size_t n = snprintf(buf, size, "%s %u", call->name, op->dst);
	unsigned int i;

	for (i = 0; i < fz_call_args(call); i++) {
		if (fz_is_block(op))
			break;
		n += snprintf(buf + n, size - n, " %s=",
			      fz_call_arg_name(call, i));
		n += fz_print_value(buf + n, size - n, &op->arg[i]);
	}
	n += snprintf(buf + n, size - n, "\n");
	return n;
}

/* Returns the length of the text, which is cut where the buffer ends. */
size_t fz_format(char *buf, size_t size, const struct fz_program *p)
{
	unsigned int end[FZ_MAX_OPS], depth = 0, i;
	char line[1024];
	size_t n, len;

	n = snprintf(buf, size, "program %u\n", p->worker);
	for (i = 0; i < p->nr_ops; i++) {
		len = fz_print_op(line, sizeof(line), &p->op[i]);
		if (fz_is_block(&p->op[i]))
			end[depth++] = i + p->op[i].arg[0].add;
		for (; depth && end[depth - 1] <= i; depth--)
			len += snprintf(line + len, sizeof(line) - len, "end\n");
		if (n + len >= size)
			break;
		memcpy(buf + n, line, len + 1);
		n += len;
	}
	return n;
}

void fz_print(FILE *to, const struct fz_program *p)
{
	static char buf[FZ_MAX_OPS * 512];

	fz_format(buf, sizeof(buf), p);
	fputs(buf, to);
}

static struct fz_value fz_read_value(const char *text)
{
	struct fz_value v = {};

	if (*text >= 'A' && *text <= 'Z') {
		v.class = text[0];
		v.index = (text[1] - '0') % 8;
		text += text[1] ? 2 : 1;
	}
	v.add = strtoull(text, NULL, 0);
	return v;
}

/* One line, without its end. Returns false if it is none that we know. */
static bool fz_read_op(char *line, struct fz_op *op)
{
	char *save, *word = strtok_r(line, FZ_BLANK, &save), *value;
	unsigned int call, i;

	if (!word)
		return false;
	call = fz_call_find(word);
	if (call == fz_nr_calls)
		return false;
	memset(op, 0, sizeof(*op));
	op->call = call;
	word = strtok_r(NULL, FZ_BLANK, &save);
	op->dst = word ? atoi(word) % 8 : 0;
	for (i = 0; i < fz_call_args(&fz_calls[call]); i++) {
		word = strtok_r(NULL, FZ_BLANK, &save);
		value = word ? strchr(word, '=') : NULL;
		if (value)
			op->arg[i] = fz_read_value(value + 1);
	}
	return true;
}

/* The next program of the file, up to where another begins. */
bool fz_read(FILE *from, struct fz_program *p)
{
	unsigned int open[FZ_MAX_OPS], depth = 0;
	bool found = false;
	char line[1024];
	long before;

	p->nr_ops = 0;
	p->worker = 0;
	while (before = ftell(from), fgets(line, sizeof(line), from)) {
		if (!strncmp(line, "program ", 8)) {
			if (found) {
				fseek(from, before, SEEK_SET);
				break;
			}
			p->worker = atoi(line + strlen("program "));
			found = true;
		} else if (!strcmp(line, "end\n")) {
			if (depth && depth--)
				p->op[open[depth]].arg[0].add =
					p->nr_ops - open[depth] - 1;
		} else if (p->nr_ops < FZ_MAX_OPS &&
			   fz_read_op(line, &p->op[p->nr_ops])) {
			if (fz_is_block(&p->op[p->nr_ops]))
				open[depth++] = p->nr_ops;
			p->nr_ops++;
			found = true;
		}
	}
	while (depth--)
		p->op[open[depth]].arg[0].add = p->nr_ops - open[depth] - 1;
	return found;
}
