// Nothing: the precompiled headers hang on this file.
