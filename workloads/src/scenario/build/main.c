#include "config.h"
int parse(const char *text); // in parse.c

int main(void)
{
	return parse(SYSTEM) - WORDS;
}
