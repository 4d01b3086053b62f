#include "config.h"
// Counts letters.
int parse(const char *text)
{
	int n = 0;

	while (text[n])
		n++;
	return n;
}
