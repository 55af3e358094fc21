	.text
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	xor %edi, %edi
	call start
1:	jmp 1b
	.cfi_endproc
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
