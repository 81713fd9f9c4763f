/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hold_NAME(complement, ready, go): the thread has the pointer in the place of
 * that name alone, from before it stores to *ready until *go is not 0. A new
 * thread has the vector registers of the one that made it, and what they hold.
 */
	.text

.macro HOLD name
	.globl	hold_\name
	.type	hold_\name, @function
hold_\name:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	pxor	%xmm\n, %xmm\n
	.endr
	movq	%rdi, %rax
	notq	%rax
.endm

.macro SPIN
	xorl	%eax, %eax
	movl	$1, (%rsi)
1:	pause
	cmpl	$0, (%rdx)
	je	1b
.endm

/* Asleep in futex(go, FUTEX_WAIT, 0). */
.macro SLEEP
	xorl	%eax, %eax
	movl	$1, (%rsi)
	movq	%rdx, %r8
1:	movl	$202, %eax
	movq	%r8, %rdi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	syscall
	cmpl	$0, (%r8)
	je	1b
	xorl	%eax, %eax
.endm

HOLD nowhere
	SPIN
	ret

HOLD caller_saved
	movq	%rax, %r9
	SPIN
	xorl	%r9d, %r9d
	ret

HOLD callee_saved
	pushq	%r12
	movq	%rax, %r12
	SPIN
	popq	%r12
	ret

/* In the middle of the object. */
HOLD inside
	leaq	40(%rax), %r9
	SPIN
	xorl	%r9d, %r9d
	ret

HOLD vector
	movq	%rax, %xmm9
	SPIN
	pxor	%xmm9, %xmm9
	ret

HOLD vector_middle
	movq	%rax, %xmm9
	pslldq	$8, %xmm9
	SPIN
	pxor	%xmm9, %xmm9
	ret

/* Needs AVX. */
HOLD vector_high
	vmovq	%rax, %xmm9
	vperm2f128 $0x08, %ymm9, %ymm9, %ymm9
	SPIN
	vzeroall
	ret

HOLD mmx
	movq	%rax, %mm3
	SPIN
	pxor	%mm3, %mm3
	emms
	ret

HOLD stack
	pushq	%rax
	SPIN
	movq	%rax, (%rsp)
	popq	%rax
	ret

HOLD red_zone
	movq	%rax, -128(%rsp)
	SPIN
	xorl	%eax, %eax
	movq	%rax, -128(%rsp)
	ret

HOLD in_call
	pushq	%rbx
	movq	%rax, %rbx
	SLEEP
	popq	%rbx
	ret

HOLD vector_in_call
	movq	%rax, %xmm9
	SLEEP
	pxor	%xmm9, %xmm9
	ret

/* Where it is worth nothing. */
HOLD below
	movq	%rax, -136(%rsp)
	SLEEP
	movq	%rax, -136(%rsp)
	ret

/* On the stack that ends there. */
HOLD other_stack
	movq	%rsp, %r9
	movq	%rax, %rsp
	SPIN
	movq	%r9, %rsp
	ret

	.section .note.GNU-stack, "", @progbits
