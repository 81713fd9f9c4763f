// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a C program of programs: the runtime, a function for each program and
 * each block in it, and a main() that forks what they ran in.
 */
#include <string.h>

#include "op.h"

/* The text of the files, which the build gives us. */
extern const char fz_runtime_h[], fz_runtime_c[], fz_loop_device_h[];

__asm__(".section .rodata\n"
	"fz_runtime_h: .incbin \"runtime.h\"\n"
	".byte 0\n"
	"fz_runtime_c: .incbin \"runtime.c\"\n"
	".byte 0\n"
	"fz_loop_device_h: .incbin \"loop_device.h\"\n"
	".byte 0\n"
	".previous\n");

static void fz_emit_value(FILE *to, const struct fz_value *v)
{
	if (v->class)
		fprintf(to, "%c[%u]", v->class, v->index % 8);
	if (v->class && v->add)
		fputs(" + ", to);
	if (!v->class || v->add)
		fprintf(to, "0x%llx", (unsigned long long)v->add);
}

static void fz_emit_input(FILE *to, const struct fz_field *field,
			  const struct fz_value *v)
{
	if (field->width != 64) {
		fprintf(to, "\t\ta.%s = ", field->name);
		fz_emit_value(to, v);
		fputs(";\n", to);
		return;
	}
	fprintf(to, "\t\tmemcpy(a.%s, fz_names[(", field->name);
	fz_emit_value(to, v);
	fprintf(to, ") %% FZ_NR_NAMES], 64);\n");
}

static void fz_emit_ioctl(FILE *to, const struct fz_call *call,
			  const struct fz_op *op)
{
	const struct fz_value *arg = &op->arg[2];
	const struct fz_field *f;
	unsigned int outs = 0;

	fprintf(to, "\t{\n\t\t%s a = {};\n\n", call->type);
	for (f = call->field; f < call->field + call->nr_fields; f++)
		if (f->domain != FZ_NOTHING)
			fz_emit_input(to, f, arg++);
	for (f = call->field; f < call->field + call->nr_fields; f++)
		outs += f->out != 0;
	fprintf(to, outs ? "\t\tif (!fz_ioctl(" : "\t\tfz_ioctl(");
	fz_emit_value(to, &op->arg[0]);
	fprintf(to, ", %s, ", call->text);
	fz_emit_value(to, &op->arg[1]);
	fprintf(to, ", &a, sizeof(a), ");
	fz_emit_value(to, arg);
	fprintf(to, outs ? ")) {\n" : ");\n");
	for (f = call->field; f < call->field + call->nr_fields; f++)
		if (f->out)
			fprintf(to, "\t\t\t%c[%u] = a.%s;\n", f->out,
				op->dst % 8, f->name);
	fprintf(to, outs ? "\t\t}\n\t}\n" : "\t}\n");
}

static void fz_emit_call(FILE *to, const struct fz_call *call,
			 const struct fz_op *op)
{
	bool helper = call->kind == FZ_HELPER;
	unsigned int i;

	fputs("\t", to);
	if (call->out)
		fprintf(to, "fz_keep(&%c[%u], ", call->out, op->dst % 8);
	fprintf(to, helper ? "%s((uint64_t []){ " : "syscall(%s", call->text);
	for (i = 0; i < call->nr_fields; i++) {
		if (i || !helper)
			fputs(", ", to);
		fz_emit_value(to, &op->arg[i]);
	}
	if (helper)
		fputs(call->nr_fields ? " }" : "0 }", to);
	fputs(call->out ? "));\n" : ");\n", to);
}

static unsigned int fz_block_end(const struct fz_program *p, unsigned int i)
{
	uint64_t n = p->op[i].arg[0].add;

	return n < p->nr_ops - i ? i + n : p->nr_ops - 1;
}

static void fz_emit_ops(FILE *to, const struct fz_program *p,
			unsigned int number, unsigned int from, unsigned int end)
{
	const struct fz_call *call;
	unsigned int i;

	for (i = from; i < end; i++) {
		call = &fz_calls[p->op[i].call];
		if (call->kind == FZ_IOCTL) {
			fz_emit_ioctl(to, call, &p->op[i]);
		} else if (call->kind < FZ_FORK) {
			fz_emit_call(to, call, &p->op[i]);
		} else {
			fputs("\t", to);
			if (call->out)
				fprintf(to, "fz_keep(&%c[%u], ", call->out,
					p->op[i].dst % 8);
			fprintf(to, "%s(block_%u_%u, NULL)%s;\n", call->text,
				number, i, call->out ? ")" : "");
			i = fz_block_end(p, i);
		}
	}
}

/* The blocks first, from the last, as one may be in another. */
static void fz_emit_program(FILE *to, const struct fz_program *p,
			    unsigned int number)
{
	unsigned int i;

	for (i = p->nr_ops; i-- > 0;) {
		if (fz_calls[p->op[i].call].kind < FZ_FORK)
			continue;
		fprintf(to, "static void *block_%u_%u(void *arg)\n{\n",
			number, i);
		fz_emit_ops(to, p, number, i + 1, fz_block_end(p, i) + 1);
		fputs("\treturn NULL;\n}\n\n", to);
	}
	fprintf(to, "static void program_%u(void)\n{\n\tfz_begin();\n", number);
	fz_emit_ops(to, p, number, 0, p->nr_ops);
	fputs("\tfz_end();\n}\n\n", to);
}

static void fz_emit_main(FILE *to, const struct fz_program *p, unsigned int nr)
{
	unsigned int worker, i, workers = 0;

	for (i = 0; i < nr; i++)
		if (p[i].worker >= workers)
			workers = p[i].worker + 1;
	fputs("int main(int argc, char **argv)\n{\n"
	      "\tint i, times = argc > 1 ? atoi(argv[1]) : 1;\n\n"
	      "\tfz_init();\n", to);
	for (worker = 0; worker < workers; worker++) {
		fputs("\tif (!fork()) {\n"
		      "\t\tfor (i = 0; i < times; i++) {\n", to);
		for (i = 0; i < nr; i++)
			if (p[i].worker == worker)
				fprintf(to, "\t\t\tprogram_%u();\n", i);
		fputs("\t\t}\n\t\texit(0);\n\t}\n", to);
	}
	fputs("\twhile (wait(NULL) > 0)\n\t\t;\n\tfz_clean();\n\treturn 0;\n}\n", to);
}

/* What is behind the last line that includes another file. */
static const char *fz_behind_includes(const char *text)
{
	const char *at;

	while ((at = strstr(text, "#include ")))
		text = at + strcspn(at, "\n");
	return text;
}

void fz_emit(FILE *to, const struct fz_program *p, unsigned int nr)
{
	unsigned int i;

	fprintf(to, "/* cc -Iuapi -pthread THIS; its argument: how often */\n"
		"#define _GNU_SOURCE\n%s%s%s\n", fz_runtime_h,
		fz_loop_device_h, fz_behind_includes(fz_runtime_c));
	fputs("static void fz_keep(uint64_t *in, long value)\n{\n"
	      "\tif (value >= 0)\n\t\t*in = value;\n}\n\n", to);
	for (i = 0; i < nr; i++)
		fz_emit_program(to, &p[i], i);
	fz_emit_main(to, p, nr);
}
