"""Error rates of presentation attack detection, in the words of ISO/IEC 30107-3."""
