"""Three opportunities as a report of Salesforce's, in two languages, and the users and rates that stand beside them."""

RATES = "from_currency_code,to_currency_code,rate_date,rate\nCHF,EUR,2025-01-01,1.05\n"
USERS = "User ID,First Name,Last Name,Active\n005Kj0000005000,Anna,Weber,1\n005Kj0000005001,Jörg,Groß,0\n"
ENGLISH = (
    '"Opportunity ID","Opportunity Name","Opportunity Owner","Account ID","Account Name","Stage","Close Date",'
    '"Created Date","Last Modified Date","Probability (%)","Amount Currency","Amount","Lead Source","Next Step"'
)
GERMAN = (
    '"Opportunity-ID";"Opportunity-Name";"Opportunity-Inhaber";"Account-ID";"Accountname";"Phase";"Schlusstermin";'
    '"Erstelldatum";"Zuletzt geändert am";"Wahrscheinlichkeit (%)";"Opportunity-Betrag Währung";"Opportunity-Betrag";'
    '"Lead-Quelle";"Nächster Schritt"'
)
ENGLISH_ROWS = """
"006Kj0000005000","Ölpumpe","Anna Weber","001Kj0000005000","Müller, Söhne","Closed Won","03/31/2026",\
"01/05/2026, 9:05 AM","03/31/2026, 2:30 PM","100%","EUR","1,234.56","Web",""
"006Kj0000005001","Ventil","Jörg Groß","001Kj0000005001","Kern AG","Angebot","04/30/2026",\
"01/06/2026, 12:00 AM","02/01/2026, 12:15 PM","50%","CHF","20,000.00","Messe","anrufen"
"006Kj0000005002","Dichtung","Jörg Groß","","","Closed Lost","05/13/2026",\
"01/07/2026, 11:59 PM","05/13/2026, 8:00 AM","0%","EUR","","",""
"""
GERMAN_ROWS = """
"006Kj0000005000";"Ölpumpe";"Anna Weber";"001Kj0000005000";"Müller, Söhne";"Closed Won";"31.03.2026";\
"05.01.2026, 09:05";"31.03.2026, 14:30";"100 %";"EUR";"1.234,56";"Web";""
"006Kj0000005001";"Ventil";"Jörg Groß";"001Kj0000005001";"Kern AG";"Angebot";"30.04.2026";\
"06.01.2026, 00:00";"01.02.2026, 12:15";"50 %";"CHF";"20.000,00";"Messe";"anrufen"
"006Kj0000005002";"Dichtung";"Jörg Groß";"";"";"Closed Lost";"13.05.2026";\
"07.01.2026, 23:59";"13.05.2026, 08:00";"0 %";"EUR";"";"";""
"""
ENGLISH_TEXT = ENGLISH + ENGLISH_ROWS
GERMAN_TEXT = GERMAN + GERMAN_ROWS
