/* Calls that are poisoned everywhere: each has a bounded or thread-safe counterpart in base/. */
#pragma once
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gmtime localtime ctime asctime system popen
