/** Context key that local mode sets: nothing is deployed, so limits that protect the bill of an account only warn. */
export const LOCAL_CONTEXT = 'tensorgate:local';
